// Running a plan, wherever it comes from.
#pragma once

#include <functional>

#include "cli/load.h"
#include "cli/verbs.h"

namespace penstock::cli {

/// Follows the session on the terminal to its end. `make_plan` is called while no other runtime is admitted. Returns
/// the process's exit code.
auto RunPlan(const std::function<Planned()>& make_plan, const RunOptions& options) -> int;

}  // namespace penstock::cli
