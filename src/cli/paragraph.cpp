#include "cli/paragraph.h"

#include <algorithm>

#include "cli/table.h"

namespace penstock::cli {

auto Paragraph(std::string_view text, std::size_t indent, std::size_t width) -> std::string {
  std::string lines;
  std::string line;
  const auto finish = [&] {
    if (!line.empty()) lines += std::string(indent, ' ') + line + '\n';
    line.clear();
  };
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" \n"), text.size());
    const std::string word(text.substr(0, end));
    const bool full = width > 0 && indent + DisplayWidth(line) + 1 + DisplayWidth(word) > width;
    if (!line.empty() && full) finish();
    if (!word.empty()) line += (line.empty() ? "" : " ") + word;
    if (end < text.size() && text[end] == '\n') finish();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  finish();
  return lines;
}

}  // namespace penstock::cli
