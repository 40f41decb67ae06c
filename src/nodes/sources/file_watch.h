// file.watch: a message for each file that appears in a folder.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "nodes/node.h"

namespace penstock::nodes::sources {

inline constexpr auto kFileWatchParams = std::to_array<PluginParam>({
    {.name = "path", .type = "text", .what = "the folder, without those below it; relative to the manifest"},
    {.name = "pattern",
     .type = "text",
     .what = "which names count, as a shell's pattern: *.wav, [a-c]?.json; * takes no name that begins with a dot",
     .otherwise = "*"},
    {.name = "existing",
     .type = "true or false",
     .what = "send what is there at the start, too, by name, before anything else",
     .otherwise = "false"},
});

/// Sends a JSON message {"path": absolute, "event": "written" | "moved" | "existing"} when a file has been closed after
/// writing, or was moved in: a file that is being written is not told of before it is complete. One that is written
/// again is told of again. Events are gathered from Setup on. "existing" is whatever is there at the start, complete or
/// not.
class FileWatch final : public Node {
 public:
  /// Errors: of the folder, which must be there.
  auto Setup(const nlohmann::json& params) -> base::Status override;
  /// Until the session is asked to stop. Errors: kNotFound when the folder is removed or moved; kExhausted when more
  /// files appear at a time than the kernel keeps events for: what was lost is not known.
  auto Run(Context& context) -> base::Status override;
  auto replay() const -> Replay override { return Replay::kNew; }

 private:
  auto ListExisting() -> base::Status;
  auto ReadEvents(Context& context) const -> base::Status;
  auto Send(Context& context, const std::string& name, const char* event) const -> base::Status;
  auto Counts(const std::string& name) const -> bool;

  std::filesystem::path folder_;
  std::string pattern_;
  std::vector<std::string> existing_;  // names, if they are wanted
  base::UniqueFd events_;
};

}  // namespace penstock::nodes::sources
