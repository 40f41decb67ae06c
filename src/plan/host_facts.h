// What of the host decides about a plan. Gathered by the caller, so that planning is pure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan/node_ports.h"

namespace penstock::plan {

/// A container of a session, with the limits that it was promised.
struct Promise {
  std::string node;
  std::uint64_t memory_mb = 0;
  double cpu_cores = 0;
  /// Sessions with the same text here use one container, up to `max_sessions` at a time. Empty: shared with nobody.
  std::string shared_as;
  std::uint32_t max_sessions = 1;
};

struct RunningSession {
  std::string id;
  std::string pipeline;
  std::vector<Promise> promises;
};

struct HostFacts {
  double cpus = 0;
  std::uint64_t memory_bytes = 0;
  /// The native nodes that exist. Empty: not known, any dotted name passes.
  std::vector<std::string> native_nodes;
  std::map<std::string, NodePorts> native_ports{};
  /// Whom containers run as: somebody who can write into the shared memory that this user makes.
  std::uint32_t container_uid = 1000;
  std::uint32_t container_gid = 1000;
  /// Nobody else can: the manifest may not ask for another user.
  bool container_user_is_fixed = false;
  /// Whether the kernel can keep the workers of one container apart (Landlock). Unknown: nothing is said of it.
  std::optional<bool> separates_workers{};
  /// This user's sessions that hold containers now, oldest first.
  std::vector<RunningSession> running{};
  /// The user wants to promise more memory than there is beside them.
  bool overcommit = false;
  /// Where a secret is that the manifest only names.
  std::filesystem::path secrets_directory{};
};

}  // namespace penstock::plan
