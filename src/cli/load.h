// From a manifest's path to its plan on this host, with every error shown.
#pragma once

#include <optional>

#include "cli/verbs.h"
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
/// The exit code after showing the errors, as the next.
auto PlanOf(const manifest::Pipeline& pipeline, const PipelineOptions& options, Room room)
    -> tl::expected<plan::Plan, int>;
auto LoadPlan(const PipelineOptions& options, Room room = Room::kHost) -> tl::expected<plan::Plan, int>;
auto NeedsEngine(const plan::Plan& plan) -> bool;

}  // namespace penstock::cli
