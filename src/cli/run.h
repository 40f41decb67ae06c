// Running a plan, wherever it comes from.
#pragma once

#include <functional>

#include "cli/verbs.h"
#include "plan/plan.h"

namespace penstock::cli {

/// Follows the session on the terminal to its end. `make_plan` is called while no other runtime is admitted; its error
/// is an exit code, of which it has said the reason. Returns the process's exit code.
auto RunPlan(const std::function<tl::expected<plan::Plan, int>()>& make_plan, const RunOptions& options) -> int;

}  // namespace penstock::cli
