// From a manifest's path to its plan on this host, or to everything that is wrong with it.
#pragma once

#include <optional>

#include "cli/verbs.h"
#include "manifest/load.h"
#include "manifest/pipeline.h"
#include "plan/plan.h"

namespace penstock::cli {

auto GatherHostFacts() -> plan::HostFacts;
/// nullopt after showing the errors.
auto LoadPipeline(const std::string& path) -> std::optional<manifest::Pipeline>;
enum class Room {
  kHost,           // on a host where nothing else runs
  kBesideRunning,  // with the sessions that run
};
/// Why there is no plan.
struct Refusal {
  manifest::Errors errors;
  bool of_manifest = true;  // they are the manifest's, in its order; else of what came with it
  int code = kUsage;        // to exit with
};
/// Prints the errors; the exit code.
auto Show(const Refusal& refusal) -> int;
using Planned = tl::expected<plan::Plan, Refusal>;
auto PlanOf(const manifest::Pipeline& pipeline, const PipelineOptions& options, Room room) -> Planned;
auto LoadPlan(const PipelineOptions& options, Room room = Room::kHost) -> Planned;
auto NeedsEngine(const plan::Plan& plan) -> bool;

}  // namespace penstock::cli
