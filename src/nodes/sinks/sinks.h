// The nodes that are linked into the native worker: text.sink and json.sink.
#pragma once

#include "nodes/node.h"

namespace penstock::nodes::sinks {

auto SinksPlugin() -> const Plugin&;

}  // namespace penstock::nodes::sinks
