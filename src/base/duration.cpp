#include "base/duration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace penstock::base {
namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};

constexpr std::array<Unit, 8> kUnits{
    {{"", 1e9}, {"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};

}  // namespace

auto ParseDuration(std::string_view text) -> std::optional<std::chrono::nanoseconds> {
  if (text.starts_with('+')) text.remove_prefix(1);
  // What else from_chars would read: "-1", "inf", "nan".
  if (text.empty() || (text.front() != '.' && (text.front() < '0' || text.front() > '9'))) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  auto name = text.substr(static_cast<std::size_t>(end - text.data()));
  if (name.starts_with(' ')) name.remove_prefix(1);
  const auto unit = std::ranges::find(kUnits, name, &Unit::name);
  if (unit == kUnits.end()) return std::nullopt;
  const auto nanoseconds = number * unit->nanoseconds;
  if (nanoseconds > static_cast<double>(kLongestDuration.count())) return std::nullopt;
  return std::chrono::nanoseconds(std::llround(nanoseconds));
}

}  // namespace penstock::base
