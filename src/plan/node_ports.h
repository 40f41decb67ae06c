// The ports of a kind of node, as far as they are known without running it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

namespace penstock::plan {

/// Names of message types ("Audio"). nullopt: any, or not known.
using MessageTypes = std::optional<std::set<std::string>>;

/// By name. nullopt: not known.
using Ports = std::optional<std::map<std::string, MessageTypes>>;

struct NodePorts {
  Ports inputs;
  Ports outputs;
};

}  // namespace penstock::plan
