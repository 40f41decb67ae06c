// What of the host decides about a plan. Gathered by the caller, so that planning is pure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace penstock::plan {

struct HostFacts {
  double cpus = 0;
  std::uint64_t memory_bytes = 0;
  /// The native nodes that exist. Empty: not known, any dotted name passes.
  std::vector<std::string> native_nodes;
  /// Whom containers run as: somebody who can write into the shared memory that this user makes.
  std::uint32_t container_uid = 1000;
  std::uint32_t container_gid = 1000;
  /// Nobody else can: the manifest may not ask for another user.
  bool container_user_is_fixed = false;
  /// Whether the kernel can keep the workers of one container apart (Landlock). Unknown: nothing is said of it.
  std::optional<bool> separates_workers{};
  /// Where a secret is that the manifest only names.
  std::filesystem::path secrets_directory{};
};

}  // namespace penstock::plan
