#include "container/host_memory.h"

#include <charconv>
#include <string>

#include "base/file.h"

namespace penstock::container {
namespace {

// The text behind `key`, at the start of a line.
auto After(std::string_view text, std::string_view key) -> std::optional<std::string_view> {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    if (line.starts_with(key)) {
      const auto rest = line.substr(key.size());
      const auto start = rest.find_first_not_of(' ');
      return start == std::string_view::npos ? std::string_view() : rest.substr(start);
    }
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return std::nullopt;
}

template <class T>
auto Number(std::optional<std::string_view> text) -> std::optional<T> {
  T value{};
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

// Empty when it cannot be read: a kernel booted without pressure accounting opens its file, and fails to read it.
auto ReadText(const std::filesystem::path& path) -> std::string {
  constexpr std::size_t kLargest = std::size_t{1} << 20U;
  return base::ReadFile(path, kLargest).value_or(std::string());
}

// Where this process is in the hierarchy that has the memory controller: its path behind ":memory:" of version 1, else
// behind "0::".
auto OwnGroup(std::string_view cgroup, const std::filesystem::path& cgroups) -> std::filesystem::path {
  std::filesystem::path unified;
  while (!cgroup.empty()) {
    const auto line = cgroup.substr(0, cgroup.find('\n'));
    cgroup.remove_prefix(std::min(line.size() + 1, cgroup.size()));
    const auto path = line.substr(std::min(line.find(":/") + 2, line.size()));
    if (line.find(":memory:/") != std::string_view::npos) return cgroups / "memory" / path;
    if (line.starts_with("0::/")) unified = cgroups / path;
  }
  return unified;
}

// nullopt where it cannot be seen, as of the root of version 2, which has no such file.
auto OwnKills(const std::filesystem::path& group) -> std::optional<std::uint64_t> {
  for (const auto* file : {"memory.oom_control", "memory.events.local", "memory.events"}) {
    if (const auto kills = Number<std::uint64_t>(After(ReadText(group / file), "oom_kill "))) return kills;
  }
  return std::nullopt;
}

}  // namespace

auto HostMemory::IsShort() const -> bool {
  // Below this the kernel works at keeping its reserves; waiting for memory is seldom and short on a healthy host.
  constexpr std::uint64_t kShare = 50;
  constexpr double kStalled = 0.05;
  return (total_bytes > 0 && available_bytes < total_bytes / kShare) || stalled.value_or(0) >= kStalled;
}

auto ParseHostMemory(std::string_view vmstat, std::string_view meminfo, std::string_view pressure) -> HostMemory {
  constexpr std::uint64_t kKibibyte = 1024;
  constexpr double kPercent = 100;
  HostMemory memory;
  memory.oom_kills = Number<std::uint64_t>(After(vmstat, "oom_kill ")).value_or(0);
  memory.total_bytes = Number<std::uint64_t>(After(meminfo, "MemTotal:")).value_or(0) * kKibibyte;
  memory.available_bytes = Number<std::uint64_t>(After(meminfo, "MemAvailable:")).value_or(0) * kKibibyte;
  if (const auto stalled = Number<double>(After(pressure, "full avg10="))) memory.stalled = *stalled / kPercent;
  return memory;
}

auto ReadHostMemory(const std::filesystem::path& proc, const std::filesystem::path& cgroups) -> HostMemory {
  auto memory =
      ParseHostMemory(ReadText(proc / "vmstat"), ReadText(proc / "meminfo"), ReadText(proc / "pressure/memory"));
  const auto group = OwnGroup(ReadText(proc / "self/cgroup"), cgroups);
  if (const auto own = group.empty() ? std::nullopt : OwnKills(group)) memory.oom_kills = *own;
  return memory;
}

}  // namespace penstock::container
