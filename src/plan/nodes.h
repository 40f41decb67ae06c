// Where one node runs, with what, and what it may do.
#pragma once

#include "manifest/pipeline.h"
#include "manifest/report.h"
#include "plan/plan.h"

namespace penstock::plan {

struct Surroundings {
  const std::filesystem::path& directory;  // of the manifest
  const HostFacts& host;
  PlacementOverride placement = PlacementOverride::kAsDeclared;
};

/// Everything about the node but its edges.
auto PlaceNode(const manifest::Node& node, const Surroundings& around, manifest::Report& report) -> Node;

/// Errors for restarts and time limits of nodes that handle no messages. After the edges are known.
void CheckSources(const manifest::Pipeline& pipeline, const Plan& plan, manifest::Report& report);

/// Warns of doors that are wider than they look: secrets that lie where every node's code is, the engine's socket.
void WarnOfOpenDoors(Plan& plan);

}  // namespace penstock::plan
