// Whether the host ran out of memory, from /proc.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace penstock::container {

struct HostMemory {
  /// Processes that the kernel killed for lack of memory: in the control group of this one, which its workers are in
  /// too, or, where that cannot be seen, anywhere and at whatever limit.
  std::uint64_t oom_kills = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;
  /// Share (0…1) of the last ten seconds in which every runnable process waited for memory. nullopt: not accounted for.
  std::optional<double> stalled{};

  /// Whether the host itself was short of memory when this was read.
  auto IsShort() const -> bool;
};

/// From the text of vmstat, meminfo and pressure/memory; what is missing counts as zero.
auto ParseHostMemory(std::string_view vmstat, std::string_view meminfo, std::string_view pressure) -> HostMemory;
auto ReadHostMemory(const std::filesystem::path& proc = "/proc",
                    const std::filesystem::path& cgroups = "/sys/fs/cgroup") -> HostMemory;

}  // namespace penstock::container
