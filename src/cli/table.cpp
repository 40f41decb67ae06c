#include "cli/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

namespace penstock::cli {
namespace {

constexpr std::size_t kGap = 2;

// Takes from the widest column first, as the others are more likely numbers.
void Narrow(std::vector<std::size_t>& widths, std::size_t width) {
  constexpr std::size_t kLeast = 6;
  const auto gaps = kGap * (widths.size() - 1);
  while (std::accumulate(widths.begin(), widths.end(), gaps) > width) {
    const auto widest = std::ranges::max_element(widths);
    if (*widest <= kLeast) return;
    --*widest;
  }
}

auto Cut(const std::string& text, std::size_t width) -> std::string {
  if (DisplayWidth(text) <= width) return text;
  std::size_t bytes = 0;
  for (std::size_t shown = 0; bytes < text.size(); ++bytes) {
    const bool begins = (static_cast<unsigned char>(text[bytes]) & 0xc0U) != 0x80U;
    if (begins && ++shown == width) break;
  }
  return text.substr(0, bytes) + "…";
}

}  // namespace

// Continuation bytes of UTF-8 take no room.
auto DisplayWidth(std::string_view text) -> std::size_t {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

auto OutputWidth() -> std::size_t {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

auto RenderTable(const std::vector<Row>& rows, std::size_t width) -> std::string {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  if (width > 0) Narrow(widths, width);
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto cell = Cut(row[i], widths[i]);
      line += cell + std::string(widths[i] - DisplayWidth(cell) + kGap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace penstock::cli
