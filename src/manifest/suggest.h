// The nearest known name to a mistyped one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace penstock::manifest {

/// Empty when nothing is near enough to be what was meant.
auto Nearest(std::string_view name, std::span<const std::string_view> known) -> std::string_view;
/// "; did you mean 'x'?", or "; known are 'a', 'b'" while the list is short, or nothing.
auto Suggest(std::string_view name, std::span<const std::string_view> known) -> std::string;
/// The same for a key of a mapping: also what other tools call it, and the mapping that knows it.
auto SuggestKey(std::string_view key, std::span<const std::string_view> known) -> std::string;

}  // namespace penstock::manifest
