// The engine's JSON answers as the values of types.h. Errors: kPeerCorrupt, with the member that is wrong.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "docker/types.h"

namespace penstock::docker {

/// "1.41".
auto ParseApiVersion(std::string_view text) -> std::optional<ApiVersion>;
auto ToString(ApiVersion version) -> std::string;

auto DecodeVersion(std::string_view attempt, std::string_view body) -> base::Expected<Version>;
auto DecodeInfo(std::string_view attempt, std::string_view body) -> base::Expected<SystemInfo>;
auto DecodeImage(std::string_view attempt, std::string_view body) -> base::Expected<Image>;
auto DecodeImages(std::string_view attempt, std::string_view body) -> base::Expected<std::vector<ImageSummary>>;
auto DecodeContainer(std::string_view attempt, std::string_view body) -> base::Expected<Container>;
auto DecodeContainers(std::string_view attempt, std::string_view body) -> base::Expected<std::vector<ContainerSummary>>;
auto DecodeCreated(std::string_view attempt, std::string_view body) -> base::Expected<CreatedContainer>;
auto DecodeExitCode(std::string_view attempt, std::string_view body) -> base::Expected<std::int64_t>;
auto DecodeEvent(std::string_view attempt, std::string_view line) -> base::Expected<Event>;
/// The member `key`, which must be there.
auto DecodeText(std::string_view attempt, std::string_view body, std::string_view key) -> base::Expected<std::string>;

/// One line of a build, pull or import.
struct ProgressLine {
  Progress progress;
  std::string error;  // the step failed: why
  std::string id;     // image id, when this line tells it
};
auto DecodeProgress(std::string_view attempt, std::string_view line) -> base::Expected<ProgressLine>;

}  // namespace penstock::docker
