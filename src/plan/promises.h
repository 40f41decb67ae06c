// Memory and cores that containers are promised, across sessions: what a plan adds to what runs already.
#pragma once

#include <vector>

#include "base/error.h"
#include "plan/plan.h"

namespace penstock::plan {

/// Of every container node, in the plan's order.
auto PromisesOf(const Plan& plan) -> std::vector<Promise>;

/// Whether the plan fits beside the sessions that run (HostFacts::running). A container that they would share with this
/// plan counts once. Cores can be shared: too many are a warning. Errors: kExhausted when memory is promised that is
/// not there; a warning where the user has said so (HostFacts::overcommit).
auto CheckRoomBeside(const HostFacts& host, Plan& plan) -> base::Status;

}  // namespace penstock::plan
