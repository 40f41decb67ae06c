// One native node's life in its worker: set up, fed until its inputs end, drained, torn down.
#pragma once

#include "nodes/host.h"
#include "nodes/native/plugins.h"

namespace penstock::nodes::native {

/// Runs the node that `host` was configured with and tells the runtime how it ended. Exceptions of the node are
/// failures of the node. Returns the worker's exit code.
auto RunNode(Host& host, PluginRegistry& registry, const std::vector<std::filesystem::path>& plugins) -> int;

}  // namespace penstock::nodes::native
