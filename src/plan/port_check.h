// Whether connections join ports that there are, and types that meet, as far as the nodes' code says so.
//
// Reads the modules beside the manifest, and runs nothing of them. What it cannot know, the worker says when it starts.
#pragma once

#include <vector>

#include "base/error.h"
#include "manifest/pipeline.h"
#include "plan/host_facts.h"

namespace penstock::plan {

auto CheckPorts(const manifest::Pipeline& pipeline, const HostFacts& host) -> std::vector<base::Error>;

}  // namespace penstock::plan
