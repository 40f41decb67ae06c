// Whether the host has room for what a plan promises.
#pragma once

#include "manifest/pipeline.h"
#include "manifest/report.h"
#include "plan/plan.h"

namespace penstock::plan {

/// An error when the containers' memory limits add up to more than the host has: one of them would be promised memory
/// that is not there. Warnings when only together with the shared memory of the edges, which is made as it is needed,
/// or when it is cores, which can be shared.
void CheckRoom(const manifest::Pipeline& pipeline, const HostFacts& host, Plan& plan, manifest::Report& report);

}  // namespace penstock::plan
