#include "container/cgroup.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace penstock::container {
namespace fs = std::filesystem;
namespace {

auto ReadNumber(const fs::path& path) -> std::optional<std::uint64_t> {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

// "oom_kill 3" in memory.oom_control (v1) and memory.events (v2).
auto ReadKeyed(const fs::path& path, std::string_view wanted) -> std::optional<std::uint64_t> {
  std::ifstream file(path);
  std::string key;
  std::uint64_t value = 0;
  while (file >> key >> value) {
    if (key == wanted) return value;
  }
  return std::nullopt;
}

}  // namespace

auto ReadMemoryAccount(const std::string& container_id) -> std::optional<MemoryAccount> {
  const fs::path root = "/sys/fs/cgroup";
  // The engine's two cgroup drivers name the group differently.
  const std::array<std::string, 2> names{"docker/" + container_id,
                                         fmt::format("system.slice/docker-{}.scope", container_id)};
  for (const auto& name : names) {
    const auto v1 = root / "memory" / name;
    if (const auto peak = ReadNumber(v1 / "memory.max_usage_in_bytes")) {
      return MemoryAccount{.peak_bytes = peak,
                           .oom_kills = ReadKeyed(v1 / "memory.oom_control", "oom_kill").value_or(0)};
    }
    const auto v2 = root / name;
    if (const auto kills = ReadKeyed(v2 / "memory.events", "oom_kill")) {
      return MemoryAccount{.peak_bytes = ReadNumber(v2 / "memory.peak"), .oom_kills = *kills};
    }
  }
  return std::nullopt;
}

}  // namespace penstock::container
