#include "manifest/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace penstock::manifest {
namespace {

auto IsDigit(char character) -> bool { return character >= '0' && character <= '9'; }

auto SkipDigits(std::string_view& text) -> std::size_t {
  const auto count = static_cast<std::size_t>(std::ranges::find_if_not(text, IsDigit) - text.begin());
  text.remove_prefix(count);
  return count;
}

/// The length of the decimal number that `text` begins with, 0 when it does not; sets `fraction` for 1.5 and 1e3.
auto DecimalLength(std::string_view text, bool& fraction) -> std::size_t {
  auto rest = text;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) rest.remove_prefix(1);
  auto digits = SkipDigits(rest);
  fraction = false;
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    digits += SkipDigits(rest);
    fraction = true;
  }
  if (digits == 0) return 0;
  if (auto power = rest; !power.empty() && (power.front() == 'e' || power.front() == 'E')) {
    power.remove_prefix(1);
    if (!power.empty() && (power.front() == '-' || power.front() == '+')) power.remove_prefix(1);
    if (SkipDigits(power) > 0) {
      rest = power;
      fraction = true;
    }
  }
  return text.size() - rest.size();
}

auto IsPrefixedInteger(std::string_view text) -> bool {
  if (text.size() < 3 || text[0] != '0') return false;
  const auto digits = text.substr(2);
  if (text[1] == 'x') return digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  if (text[1] == 'o') return digits.find_first_not_of("01234567") == std::string_view::npos;
  return false;
}

struct Unit {
  std::string_view name;
  double factor;
};

/// A decimal number and a unit; a bare number has the factor of the unit "".
template <std::size_t N>
auto ParseQuantity(std::string_view text, const std::array<Unit, N>& units) -> std::optional<double> {
  bool fraction = false;
  const auto length = DecimalLength(text, fraction);
  if (length == 0) return std::nullopt;
  const auto number = ParseNumber(text.substr(0, length));
  auto name = text.substr(length);
  if (name.starts_with(' ')) name.remove_prefix(1);
  const auto unit = std::ranges::find(units, name, &Unit::name);
  if (!number || *number < 0 || unit == units.end()) return std::nullopt;
  return *number * unit->factor;
}

}  // namespace

auto ClassifyScalar(std::string_view text, bool quoted) -> ScalarKind {
  if (quoted) return ScalarKind::kText;
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return ScalarKind::kNull;
  for (const auto* word : {"true", "True", "TRUE", "false", "False", "FALSE"}) {
    if (text == word) return ScalarKind::kBool;
  }
  if (IsPrefixedInteger(text)) return ScalarKind::kInteger;
  bool fraction = false;
  if (DecimalLength(text, fraction) != text.size()) return ScalarKind::kText;
  if (fraction) return ScalarKind::kNumber;
  const auto digits = text.substr(IsDigit(text.front()) ? 0 : 1);
  return digits.size() > 1 && digits.front() == '0' ? ScalarKind::kLeadingZero : ScalarKind::kInteger;
}

auto Shown(std::string_view text) -> std::string {
  constexpr std::size_t kMost = 100;
  std::string_view rest;
  if (text.size() > kMost) {
    auto end = kMost;
    while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
    text = text.substr(0, end);
    rest = "…";
  }
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte != 0x7F) {
      shown += c;
    } else if (c == '\n' || c == '\t') {
      shown += c == '\n' ? "\\n" : "\\t";
    } else {
      shown += fmt::format("\\x{:02x}", byte);
    }
  }
  return shown.append(rest);
}

auto DescribeScalar(std::string_view text, bool quoted) -> std::string {
  switch (ClassifyScalar(text, quoted)) {
    case ScalarKind::kNull:
      return "nothing";
    case ScalarKind::kInteger:
    case ScalarKind::kLeadingZero:
    case ScalarKind::kNumber:
      return fmt::format("the number {}", Shown(text));
    case ScalarKind::kBool:
      return fmt::format("the truth value {}", text);
    case ScalarKind::kText:
      break;
  }
  return fmt::format("the text '{}'", Shown(text));
}

auto ParseInteger(std::string_view text) -> std::optional<std::int64_t> {
  int base = 10;
  if (IsPrefixedInteger(text)) {
    base = text[1] == 'x' ? 16 : 8;
    text.remove_prefix(2);
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

auto ParseNumber(std::string_view text) -> std::optional<double> {
  if (IsPrefixedInteger(text)) {
    const auto whole = ParseInteger(text);
    return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

auto ParseSize(std::string_view text) -> std::optional<std::uint64_t> {
  static constexpr std::array<Unit, 9> kUnits{{{"", 1},
                                               {"B", 1},
                                               {"kB", 1e3},
                                               {"KB", 1e3},
                                               {"MB", 1e6},
                                               {"GB", 1e9},
                                               {"KiB", 1024.0},
                                               {"MiB", 1024.0 * 1024},
                                               {"GiB", 1024.0 * 1024 * 1024}}};
  constexpr double kLargest = 1e15;  // exact in a double
  const auto bytes = ParseQuantity(text, kUnits);
  if (!bytes || *bytes > kLargest || std::floor(*bytes) != *bytes) return std::nullopt;
  return static_cast<std::uint64_t>(*bytes);
}

}  // namespace penstock::manifest
