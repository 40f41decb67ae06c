#include "container/counters.h"

#include <algorithm>
#include <charconv>

namespace penstock::container {
namespace {

auto Number(std::string_view text) -> std::optional<std::uint64_t> {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;  // "max" among others
  return value;
}

auto Number(const std::optional<std::string>& text) -> std::optional<std::uint64_t> {
  return text ? Number(std::string_view(*text)) : std::nullopt;
}

// "oom_kill 3" in files of one key and number a line.
auto Keyed(const std::optional<std::string>& text, std::string_view wanted) -> std::optional<std::uint64_t> {
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const auto space = line.find(' ');
    if (space != std::string_view::npos && line.substr(0, space) == wanted) return Number(line.substr(space + 1));
  }
  return std::nullopt;
}

// v1 writes "no limit" as the largest multiple of a page in 63 bits.
auto LimitV1(std::optional<std::uint64_t> value) -> std::optional<std::uint64_t> {
  constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62U;
  return value && *value < kUnlimited ? value : std::nullopt;
}

auto Difference(std::uint64_t now, std::uint64_t before) -> std::uint64_t { return now - std::min(before, now); }

}  // namespace

auto MemoryCounters::ReachedLimit() const -> bool {
  if (out_of_memory) return *out_of_memory > 0;
  // The kernel charges in batches for each processor, so that the peak of a group at its limit may lie a little below.
  constexpr std::uint64_t kBatches = 1024 * 1024;
  return limit_bytes && peak_bytes && *peak_bytes + kBatches >= *limit_bytes;
}

auto CpuCounters::ThrottledShare() const -> double {
  return periods == 0 ? 0 : static_cast<double>(throttled) / static_cast<double>(periods);
}

auto CpuCounters::CoresSince(const CpuCounters& before, std::chrono::nanoseconds elapsed) const -> double {
  if (elapsed.count() <= 0) return 0;
  return static_cast<double>(Difference(usage_ns, before.usage_ns)) / static_cast<double>(elapsed.count());
}

auto Counters::Since(const Counters& baseline) const -> Counters {
  auto result = *this;
  if (result.memory && baseline.memory) {
    auto& memory_now = *result.memory;
    const auto& before = *baseline.memory;
    memory_now.limit_hits = Difference(memory_now.limit_hits, before.limit_hits);
    memory_now.oom_kills = Difference(memory_now.oom_kills, before.oom_kills);
    if (memory_now.out_of_memory)
      memory_now.out_of_memory = Difference(*memory_now.out_of_memory, before.out_of_memory.value_or(0));
  }
  if (result.cpu && baseline.cpu) {
    auto& cpu_now = *result.cpu;
    cpu_now.usage_ns = Difference(cpu_now.usage_ns, baseline.cpu->usage_ns);
    cpu_now.periods = Difference(cpu_now.periods, baseline.cpu->periods);
    cpu_now.throttled = Difference(cpu_now.throttled, baseline.cpu->throttled);
    cpu_now.throttled_ns = Difference(cpu_now.throttled_ns, baseline.cpu->throttled_ns);
  }
  if (result.pids && baseline.pids) result.pids->refused = Difference(result.pids->refused, baseline.pids->refused);
  return result;
}

auto ParseMemory(CgroupVersion version, const GroupFile& file) -> std::optional<MemoryCounters> {
  const bool v1 = version == CgroupVersion::kV1;
  const auto usage = Number(file(v1 ? "memory.usage_in_bytes" : "memory.current"));
  if (!usage) return std::nullopt;
  MemoryCounters memory;
  memory.usage_bytes = *usage;
  if (v1) {
    memory.limit_bytes = LimitV1(Number(file("memory.limit_in_bytes")));
    memory.peak_bytes = Number(file("memory.max_usage_in_bytes"));
    // With equal limits of memory and of memory and swap together, the kernel meets the second one first.
    memory.limit_hits = Number(file("memory.failcnt")).value_or(0) + Number(file("memory.memsw.failcnt")).value_or(0);
    memory.oom_kills = Keyed(file("memory.oom_control"), "oom_kill").value_or(0);
    return memory;
  }
  const auto events = file("memory.events");
  memory.limit_bytes = Number(file("memory.max"));
  memory.peak_bytes = Number(file("memory.peak"));
  memory.limit_hits = Keyed(events, "max").value_or(0);
  memory.out_of_memory = Keyed(events, "oom");
  memory.oom_kills = Keyed(events, "oom_kill").value_or(0);
  return memory;
}

auto ParseCpu(CgroupVersion version, const GroupFile& file) -> std::optional<CpuCounters> {
  const auto statistics = file("cpu.stat");
  const auto periods = Keyed(statistics, "nr_periods");
  if (!periods) return std::nullopt;
  constexpr std::uint64_t kNanosecondsInMicrosecond = 1000;
  CpuCounters cpu;
  cpu.periods = *periods;
  cpu.throttled = Keyed(statistics, "nr_throttled").value_or(0);
  if (version == CgroupVersion::kV1) {
    cpu.usage_ns = Number(file("cpuacct.usage")).value_or(0);
    cpu.throttled_ns = Keyed(statistics, "throttled_time").value_or(0);
  } else {
    cpu.usage_ns = Keyed(statistics, "usage_usec").value_or(0) * kNanosecondsInMicrosecond;
    cpu.throttled_ns = Keyed(statistics, "throttled_usec").value_or(0) * kNanosecondsInMicrosecond;
  }
  return cpu;
}

auto ParsePids(const GroupFile& file) -> std::optional<PidsCounters> {
  const auto current = Number(file("pids.current"));
  if (!current) return std::nullopt;
  return PidsCounters{.limit = Number(file("pids.max")),
                      .current = *current,
                      .peak = Number(file("pids.peak")),
                      .refused = Keyed(file("pids.events"), "max").value_or(0)};
}

}  // namespace penstock::container
