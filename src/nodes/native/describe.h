// What a node declares about itself, as JSON: for `penstock nodes`, and for checks before a node runs.
#pragma once

#include <nlohmann/json.hpp>

#include "nodes/node.h"

namespace penstock::nodes::native {

/// {"name", "summary", "inputs": [{"name", "type"}], "outputs": likewise,
///  "params": [{"name", "type", "what", "otherwise": text | null}]}
auto Describe(const PluginNode& node) -> nlohmann::json;

}  // namespace penstock::nodes::native
