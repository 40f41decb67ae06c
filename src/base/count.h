// Numbers of things, in sentences.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>

namespace penstock::base {

/// "1 message", "2 messages"; of words with another plural than that with an s: Count(2, "process", "processes").
template <std::integral Number>
auto Count(Number number, std::string_view noun, std::string_view plural = {}) -> std::string {
  if (number == 1) return fmt::format("1 {}", noun);
  return plural.empty() ? fmt::format("{} {}s", number, noun) : fmt::format("{} {}", number, plural);
}

}  // namespace penstock::base
