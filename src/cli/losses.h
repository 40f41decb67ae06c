// What a session did not deliver, for `--strict-loss` and the summary.
#pragma once

#include <string>
#include <vector>

#include "session/report.h"

namespace penstock::cli {

/// A sentence for each edge that did not deliver all that was sent on it, or whose account does not add up. Of a
/// session that has ended.
auto Losses(const session::Report& report) -> std::vector<std::string>;

}  // namespace penstock::cli
