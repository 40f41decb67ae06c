// Where a container's counters are on this host, and reading them. The engine's own statistics take a second; these
// files take microseconds, which is what a failure that is told at once can wait for.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "container/counters.h"

namespace penstock::container {

/// The control groups of one container. A value; any thread.
///
/// The groups go with the container: reading afterwards finds nothing, also through a descriptor that was opened
/// before.
class Cgroup final {
 public:
  /// nullopt where the host's control groups cannot be seen (then figures are left out of sentences and summaries).
  static auto Of(const std::string& container_id, const std::filesystem::path& root = "/sys/fs/cgroup")
      -> std::optional<Cgroup>;

  /// nullopt: the container is gone.
  auto Read() const -> std::optional<Counters>;

 private:
  Cgroup() = default;
  CgroupVersion version_ = CgroupVersion::kV2;
  // In v2 one and the same; in v1 one a controller, empty where the host does not have it.
  std::filesystem::path memory_;
  std::filesystem::path cpu_;
  std::filesystem::path cpuacct_;
  std::filesystem::path pids_;
};

}  // namespace penstock::container
