// Durations as people write them, in manifests and in the parameters of nodes.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace penstock::base {

/// The longest that ParseDuration takes.
inline constexpr std::chrono::nanoseconds kLongestDuration = std::chrono::hours(7 * 24);

/// `250ms`, `30s`, `1.5h`; a bare number is seconds. Units ns, us, ms, s, m, h. nullopt: none of these, or beyond
/// kLongestDuration.
auto ParseDuration(std::string_view text) -> std::optional<std::chrono::nanoseconds>;

}  // namespace penstock::base
