#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/load.h"
#include "cli/verbs.h"
#include "plan/render.h"

namespace penstock::cli {

auto Plan(const PlanOptions& options) -> int {
  const auto plan = LoadPlan(options.pipeline, Room::kBesideRunning);
  if (!plan) return Show(plan.error());
  if (options.json) {
    PrintJson(plan::ToJson(*plan));
  } else {
    fmt::print("{}", plan::RenderTable(*plan));
  }
  return kDone;
}

}  // namespace penstock::cli
