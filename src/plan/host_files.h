// Whether the host has what a manifest refers to: volumes, devices, secrets, files of variables, build contexts; and
// whether those as whom containers run may read the nodes' code.
//
// Apart from planning, because it looks at the file system and planning is pure. Between this check and the start of a
// container things may change; the engine's or the container's own error says so then.
#pragma once

#include <vector>

#include "base/error.h"
#include "manifest/pipeline.h"
#include "plan/plan.h"

namespace penstock::plan {

/// An error, where it is written, for each thing that is missing, of the wrong kind, or cannot be read by this user or,
/// if it is code that lies beside the manifest, by the container's;
/// and what is wrong inside the files of variables, where it is wrong.
auto CheckHostFiles(const manifest::Pipeline& pipeline, const HostFacts& host, PlacementOverride placement)
    -> std::vector<base::Error>;

}  // namespace penstock::plan
