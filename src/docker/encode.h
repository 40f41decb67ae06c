// Requests to the engine as JSON. Errors: kInvalidArgument (text that is not UTF-8, extra JSON that is no object).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "docker/types.h"

namespace penstock::docker {

auto EncodeContainer(const ContainerSpec& spec) -> base::Expected<std::string>;
auto EncodeCommit(const CommitSpec& spec) -> base::Expected<std::string>;
auto EncodeMap(const StringMap& map) -> base::Expected<std::string>;
/// {"label": ["a", "b=c"]}; "" when nothing is filtered.
auto EncodeFilters(const std::vector<std::pair<std::string_view, Strings>>& filters) -> base::Expected<std::string>;

}  // namespace penstock::docker
