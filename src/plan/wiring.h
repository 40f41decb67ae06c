// The edges of a plan: ports, contracts, shared memory, and who is handed what.
#pragma once

#include <cstddef>
#include <vector>

#include "manifest/pipeline.h"
#include "manifest/report.h"
#include "plan/plan.h"

namespace penstock::plan {

/// Fills `edges` and `outputs`, and the indices in `nodes`, which must be there.
void WireEdges(const manifest::Pipeline& pipeline, Plan& plan);

/// An error when the session asks for more shared memory than the host has. False: it does.
auto CheckQuota(const manifest::Pipeline& pipeline, const HostFacts& host, manifest::Report& report) -> bool;

/// Gives every realm its share of the session's quota: first what its edges declare (slots × expected_bytes), then its
/// part of the rest, the same for each segment.
void DivideMemory(const manifest::Pipeline& pipeline, const HostFacts& host, Plan& plan, manifest::Report& report);

/// Errors for an output with more consumers, or a node with more connections, than the transport can carry.
void CheckFanOut(const manifest::Pipeline& pipeline, const Plan& plan, manifest::Report& report);

void GrantDescriptors(Plan& plan);

/// Nodes in the order in which they should be ready: consumers before their producers.
auto StartOrder(const Plan& plan) -> std::vector<std::size_t>;

}  // namespace penstock::plan
