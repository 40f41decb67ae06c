// What the kernel counts for a container, as values: memory, CPU and processes, from control groups v1 or v2.
//
// Pure: text of files in, numbers out. Where the files are is container/cgroup.h's business.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::container {

enum class CgroupVersion { kV1, kV2 };

struct MemoryCounters {
  std::optional<std::uint64_t> limit_bytes{};  // nullopt: none
  std::uint64_t usage_bytes = 0;
  std::optional<std::uint64_t> peak_bytes{};  // v2 has it from Linux 5.19 on
  /// Allocations that met the limit. Most are helped by giving up cached files. Some kernels count none in v1.
  std::uint64_t limit_hits = 0;
  /// v2 only: allocations that could not be helped at the limit.
  std::optional<std::uint64_t> out_of_memory{};
  /// Processes that the kernel killed for lack of memory, at this limit or because the host had none left.
  std::uint64_t oom_kills = 0;

  /// Whether kills were for this group's own limit; else it was the host that had no memory left. Of v1 only the peak
  /// is known, so that a group which had once filled its limit with cached files is taken for one that had to be
  /// killed.
  auto ReachedLimit() const -> bool;
};

struct CpuCounters {
  std::uint64_t usage_ns = 0;
  std::uint64_t periods = 0;       // scheduling periods (usually 100 ms) in which the container wanted to run
  std::uint64_t throttled = 0;     // of these, those in which it used up its share and was stopped
  std::uint64_t throttled_ns = 0;  // how long it was stopped, summed over processors

  /// 0…1: the share of periods in which it was stopped.
  auto ThrottledShare() const -> double;
  /// Cores in use since `before`, a reading of the same group that is `elapsed` old.
  auto CoresSince(const CpuCounters& before, std::chrono::nanoseconds elapsed) const -> double;
};

struct PidsCounters {
  std::optional<std::uint64_t> limit{};  // processes and threads; nullopt: none
  std::uint64_t current = 0;
  std::optional<std::uint64_t> peak{};  // Linux 6.1 on
  std::uint64_t refused = 0;            // forks and threads
};

/// nullopt: this kernel or this host does not account for it.
struct Counters {
  std::optional<MemoryCounters> memory{};
  std::optional<CpuCounters> cpu{};
  std::optional<PidsCounters> pids{};

  /// What happened after `baseline` was read: events and times are differences, usage, peaks and limits as they are.
  auto Since(const Counters& baseline) const -> Counters;
};

/// The text of one of a group's files by its name; nullopt when there is none.
using GroupFile = std::function<std::optional<std::string>(std::string_view name)>;

auto ParseMemory(CgroupVersion version, const GroupFile& file) -> std::optional<MemoryCounters>;
/// In v1 the files may belong to two groups, of `cpu` and of `cpuacct`.
auto ParseCpu(CgroupVersion version, const GroupFile& file) -> std::optional<CpuCounters>;
/// The same files in both versions.
auto ParsePids(const GroupFile& file) -> std::optional<PidsCounters>;

}  // namespace penstock::container
