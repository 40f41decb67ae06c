// What is worth a sentence in `penstock ps`: nodes that stand still, or are being restarted.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace penstock::cli {

/// About a node as a session's status describes it (docs/ps.md); of what has taken less than a second, nothing.
auto StandingSentences(const nlohmann::json& node) -> std::vector<std::string>;

}  // namespace penstock::cli
