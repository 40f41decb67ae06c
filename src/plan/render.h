// A plan for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "plan/plan.h"

namespace penstock::plan {

/// Tables of nodes and edges, what is built, handed over and allowed, then the warnings. Ends with a newline. No
/// colours, no paths of the host: the same plan renders the same everywhere.
auto RenderTable(const Plan& plan) -> std::string;

/// Stable keys; bytes in bytes, durations in seconds. `"version": 1`.
auto ToJson(const Plan& plan) -> nlohmann::json;
/// What makes up the Python of a node.
auto ToJson(const Environment& environment) -> nlohmann::json;

}  // namespace penstock::plan
