#include "container/cgroup.h"

#include <fmt/format.h>

#include <array>

#include "base/file.h"

namespace penstock::container {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargest = std::size_t{1} << 20U;

// The group may go between its files' opening and their reading, which then fails with ENODEV.
auto ReadText(const fs::path& path) -> std::optional<std::string> {
  auto text = base::ReadFile(path, kLargest);
  if (!text || text->empty()) return std::nullopt;
  return std::move(*text);
}

auto FilesOf(const fs::path& group) -> GroupFile {
  return [&group](std::string_view name) -> std::optional<std::string> {
    return group.empty() ? std::nullopt : ReadText(group / name);
  };
}

auto Exists(const fs::path& path) -> bool {
  std::error_code error;
  return fs::is_directory(path, error);
}

}  // namespace

auto Cgroup::Of(const std::string& container_id, const fs::path& root) -> std::optional<Cgroup> {
  // The engine's two cgroup drivers name the group differently.
  const std::array<std::string, 2> names{"docker/" + container_id,
                                         fmt::format("system.slice/docker-{}.scope", container_id)};
  for (const auto& name : names) {
    Cgroup found;
    // A host with both versions mounts v2 beside the controllers of v1, which then have the counters.
    const auto v1 = [&](const char* controller) {
      return Exists(root / controller / name) ? root / controller / name : fs::path();
    };
    found.memory_ = v1("memory");
    found.cpu_ = v1("cpu");
    found.cpuacct_ = v1("cpuacct");
    found.pids_ = v1("pids");
    if (!found.memory_.empty() || !found.cpu_.empty() || !found.pids_.empty()) {
      found.version_ = CgroupVersion::kV1;
      return found;
    }
    if (Exists(root / name)) {
      found.memory_ = found.cpu_ = found.cpuacct_ = found.pids_ = root / name;
      return found;
    }
  }
  return std::nullopt;
}

auto Cgroup::Read() const -> std::optional<Counters> {
  Counters counters;
  counters.memory = ParseMemory(version_, FilesOf(memory_));
  counters.cpu = ParseCpu(
      version_, [this](std::string_view name) { return FilesOf(name.starts_with("cpuacct") ? cpuacct_ : cpu_)(name); });
  counters.pids = ParsePids(FilesOf(pids_));
  if (!counters.memory && !counters.cpu && !counters.pids) return std::nullopt;
  return counters;
}

}  // namespace penstock::container
