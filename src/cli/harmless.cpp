#include "cli/harmless.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace penstock::cli {
namespace {

constexpr char kEscape = '\x1b';
constexpr std::string_view kReset = "\x1b[0m";

auto Byte(std::string_view text, std::size_t at) -> unsigned {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
}

// Length of the ESC [ numbers m that `text` begins with; 0: it does not. Only numbers, as other bytes there are private
// sequences of terminals; and no more than anybody needs.
auto ColourAt(std::string_view text) -> std::size_t {
  constexpr std::size_t kLongest = 32;
  if (!text.starts_with("\x1b[")) return 0;
  const auto end = text.substr(0, kLongest).find_first_not_of("0123456789;:", 2);
  return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

// Length of the character of UTF-8 that `text` begins with, of more than one byte; 0: it is none, or a control
// character of C1.
auto CharacterAt(std::string_view text) -> std::size_t {
  const auto first = Byte(text, 0);
  const std::size_t size = first >= 0xF0U && first <= 0xF4U   ? 4
                           : first >= 0xE0U && first <= 0xEFU ? 3
                           : first >= 0xC2U && first <= 0xDFU ? 2
                                                              : 0;
  if (size == 0) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((Byte(text, i) & 0xC0U) != 0x80U) return 0;
  }
  const auto second = Byte(text, 1);
  if (first == 0xC2U && second < 0xA0U) return 0;  // U+0080 to U+009F
  // Spelt longer than need be, surrogates, and beyond Unicode: terminals differ in what they make of those.
  if ((first == 0xE0U && second < 0xA0U) || (first == 0xEDU && second > 0x9FU) || (first == 0xF0U && second < 0x90U) ||
      (first == 0xF4U && second > 0x8FU)) {
    return 0;
  }
  return size;
}

// U+2400 and on are pictures of the control characters.
void ShowControl(unsigned control, std::string& out) {
  const unsigned picture = control == 0x7FU ? 0x21U : control;
  out += "\xE2\x90";
  out += static_cast<char>(0x80U + picture);
}

}  // namespace

auto Harmless(std::string_view text) -> std::string {
  constexpr unsigned kDelete = 0x7F;
  std::string shown;
  shown.reserve(text.size());
  bool coloured = false;
  const auto end_line = [&] {
    if (coloured) shown += kReset;
    coloured = false;
  };
  while (!text.empty()) {
    const auto first = Byte(text, 0);
    std::size_t taken = 1;
    if (text == "\r") break;
    if (first == '\n' || text.starts_with("\r\n")) {
      end_line();
      taken = first == '\n' ? 1 : 2;
      shown += '\n';
    } else if (first == '\t' || (first >= ' ' && first < kDelete)) {
      shown += text.front();
    } else if (const auto colour = text.front() == kEscape ? ColourAt(text) : 0; colour != 0) {
      const auto sequence = text.substr(0, colour);
      taken = colour;
      shown += sequence;
      coloured = sequence != kReset && sequence != "\x1b[m";
    } else if (first < ' ' || first == kDelete) {
      ShowControl(first, shown);
    } else if (const auto size = CharacterAt(text); size != 0) {
      taken = size;
      shown += text.substr(0, size);
    } else {
      const bool is_c1 = first == 0xC2U && (Byte(text, 1) & 0xE0U) == 0x80U;
      taken = is_c1 ? 2 : 1;
      shown += fmt::format("\\x{:02x}", Byte(text, taken - 1));
    }
    text.remove_prefix(std::min(taken, text.size()));
  }
  end_line();
  return shown;
}

auto HarmlessAt(int fd, std::string_view text) -> std::string {
  return ::isatty(fd) == 1 ? Harmless(text) : std::string(text);
}

}  // namespace penstock::cli
