// Where one node runs, with what, and what it may do.
#pragma once

#include "manifest/pipeline.h"
#include "manifest/report.h"
#include "plan/plan.h"

namespace penstock::plan {

/// Everything about the node but its edges.
auto PlaceNode(const manifest::Node& node, const HostFacts& host, PlacementOverride placement, manifest::Report& report)
    -> Node;

/// Warns when the containers together may use more than the host has.
void WarnOfOvercommitment(const HostFacts& host, Plan& plan);

}  // namespace penstock::plan
