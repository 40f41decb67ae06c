// The nodes that are linked into the native worker: sinks and sources that need no other library.
#pragma once

#include "nodes/node.h"

namespace penstock::nodes::native {

auto BuiltInNodes() -> const Plugin&;

}  // namespace penstock::nodes::native
