// What a Python file says of its node classes, read without running it: ports, and the types that annotations declare.
//
// Less than Python itself knows: what is inherited, computed, decorated or imported from elsewhere is unknown, and
// unknown is never wrong. The same rules as the SDK's (python/penstock/_ports.py). Pure, any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "plan/node_ports.h"

namespace penstock::plan {

struct NodeClass {
  int line = 0;  // of its definition, 1-based
  NodePorts ports;
};

/// The classes of a module that are nodes for certain (their one base is penstock.Node), by name, and again by the name
/// that `@penstock.node("Name")` gives them, with a '@' before it.
auto ReadNodeClasses(std::string_view source) -> std::map<std::string, NodeClass>;

}  // namespace penstock::plan
