#include "session/suggestion.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace penstock::session {
namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;
constexpr std::uint64_t kStepMb = 64;
constexpr std::uint64_t kStepPids = 32;

auto RoundUp(std::uint64_t value, std::uint64_t step) -> std::uint64_t { return (value + step - 1) / step * step; }

auto WithQuarter(std::uint64_t value) -> std::uint64_t { return value + value / 4; }

}  // namespace

auto SufficientMemoryMb(std::uint64_t limit_mb, std::uint64_t peak_bytes, std::optional<std::uint64_t> asked_bytes)
    -> std::uint64_t {
  if (asked_bytes) return RoundUp(WithQuarter((peak_bytes + *asked_bytes) / kMebibyte + 1), kStepMb);
  const auto had = std::max(limit_mb, peak_bytes / kMebibyte);
  return RoundUp(had + had / 2, kStepMb);
}

auto SufficientCores(double limit, const container::CpuCounters& cpu, double host_cores) -> double {
  constexpr double kPeriodNs = 100e6;  // the engine's
  constexpr double kMostOfAPeriod = 0.95;
  if (cpu.periods == 0) return limit;
  const auto stopped = static_cast<double>(cpu.throttled_ns) / (static_cast<double>(cpu.periods) * kPeriodNs);
  const auto needed = limit / (1 - std::min(stopped, kMostOfAPeriod));
  constexpr double kRounding = 0.01;  // of a division, not a need
  return std::min(std::ceil(needed * 10 - kRounding) / 10, std::max(host_cores, limit));
}

auto SufficientPids(std::uint64_t limit, std::uint64_t refused) -> std::uint64_t {
  return RoundUp(WithQuarter(limit + refused), kStepPids);
}

auto AskedBytes(std::string_view message) -> std::optional<std::uint64_t> {
  constexpr std::string_view kWords = "Unable to allocate ";
  const auto start = message.find(kWords);
  if (start == std::string_view::npos) return std::nullopt;
  message.remove_prefix(start + kWords.size());
  double amount = 0;
  const auto [end, error] = std::from_chars(message.data(), message.data() + message.size(), amount);
  if (error != std::errc()) return std::nullopt;
  message.remove_prefix(static_cast<std::size_t>(end - message.data()));
  constexpr std::array<std::pair<std::string_view, double>, 6> kUnits{
      {{" bytes", 1}, {" KiB", 0x1p10}, {" MiB", 0x1p20}, {" GiB", 0x1p30}, {" TiB", 0x1p40}, {" PiB", 0x1p50}}};
  for (const auto& [unit, bytes] : kUnits) {
    if (message.starts_with(unit)) return static_cast<std::uint64_t>(amount * bytes);
  }
  return std::nullopt;
}

}  // namespace penstock::session
