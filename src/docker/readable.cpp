#include "docker/readable.h"

#include <algorithm>
#include <cstdint>

namespace penstock::docker {
namespace {
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Bytes of the character that `text` begins with; 0 when it is not UTF-8: cut short, overlong, a surrogate, too large.
auto CharacterBytes(std::string_view text) -> std::size_t {
  const auto byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(text[i])}; };
  if (byte(0) < 0x80) return 1;
  const std::size_t size = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : byte(0) >= 0xc0 ? 2 : 0;
  if (size == 0 || size > text.size()) return 0;
  auto value = byte(0) & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
    value = value << 6U | (byte(i) & 0x3fU);
  }
  const std::uint32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
  if (value < least || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return 0;
  return value < 0xa0 ? 0 : size;  // the second row of control characters
}

auto IsShown(char c) -> bool {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= ' ' && byte != 0x7f) || c == '\n' || c == '\t';
}
}  // namespace

auto Readable(std::string_view text, std::size_t most) -> std::string {
  text = text.substr(0, std::min(text.size(), text.find_last_not_of(" \t\r\n") + 1));
  std::string readable;
  while (!text.empty()) {
    const auto size = CharacterBytes(text);
    const bool shown = size > 1 || (size == 1 && IsShown(text[0]));
    const auto character = shown ? text.substr(0, size) : kReplacement;
    if (readable.size() + character.size() > most) return readable + "…";
    if (text[0] != '\r') readable += character;
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return readable;
}

}  // namespace penstock::docker
