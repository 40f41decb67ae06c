// The nodes that are linked into the native worker: text.sink, json.sink and message.source.
#pragma once

#include "nodes/node.h"

namespace penstock::nodes::native {

auto BuiltInNodes() -> const Plugin&;

}  // namespace penstock::nodes::native
