// A plan as a picture.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace penstock::cli {

/// What a node's box says, a line each: its id, its type, where it runs and with what.
auto BoxLines(const plan::Node& node) -> std::vector<std::string>;
/// What an edge says: ports where they are named, the policy, and the depth.
auto EdgeLabel(const plan::Edge& edge) -> std::string;

/// A flowchart in Mermaid's language, as Markdown viewers draw it.
auto ToMermaid(const plan::Plan& plan) -> std::string;
/// A drawing of its own, without scripts and fonts from elsewhere.
auto ToSvg(const plan::Plan& plan) -> std::string;

}  // namespace penstock::cli
