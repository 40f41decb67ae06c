// How every verb prints its facts for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace penstock::cli {

/// Indented, and text whatever bytes it holds: what is no UTF-8 is replaced.
auto JsonText(const nlohmann::json& value) -> std::string;
/// On stdout.
void PrintJson(const nlohmann::json& value);

}  // namespace penstock::cli
