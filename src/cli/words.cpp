#include "cli/words.h"

#include <algorithm>
#include <numeric>

namespace penstock::cli {
namespace {

// Letters put in, left out, changed, or swapped with their neighbour.
auto Distance(std::string_view a, std::string_view b) -> std::size_t {
  std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  std::iota(rows[0].begin(), rows[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    rows[i][0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows.back().back();
}

auto IsHex(char c) -> bool { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

auto Nearest(std::string_view typed, const std::vector<std::string>& words) -> std::optional<std::string> {
  const std::string* nearest = nullptr;
  // A word of three letters with two of them wrong is another word.
  auto least = typed.size() / 3 + 1;
  for (const auto& word : words) {
    const auto distance = word.starts_with(typed) && !typed.empty() ? 0 : Distance(typed, word);
    if (distance >= least + (nearest == nullptr ? 1 : 0)) continue;
    least = distance;
    nearest = &word;
  }
  return nearest == nullptr ? std::nullopt : std::optional(*nearest);
}

auto ShortenIds(std::string_view text) -> std::string {
  constexpr std::size_t kWhole = 64;
  constexpr std::size_t kShort = 12;
  std::string result;
  while (!text.empty()) {
    const auto digits = static_cast<std::size_t>(std::ranges::find_if_not(text, IsHex) - text.begin());
    const bool is_id = digits == kWhole && !result.ends_with("sha256:") && !result.ends_with('/');
    result += text.substr(0, is_id ? kShort : digits);
    text.remove_prefix(digits);
    const auto between = static_cast<std::size_t>(std::ranges::find_if(text, IsHex) - text.begin());
    result += text.substr(0, between);
    text.remove_prefix(between);
  }
  return result;
}

}  // namespace penstock::cli
