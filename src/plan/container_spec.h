// What a container may use and see, resolved: limits, rights, and every door to the host that the manifest opens.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "manifest/docker_section.h"
#include "manifest/report.h"
#include "plan/host_facts.h"

namespace penstock::plan {

inline constexpr std::uint64_t kDefaultMemoryMb = 512;
inline constexpr double kDefaultCpuCores = 1.0;
inline constexpr std::uint32_t kDefaultPids = 256;
inline constexpr std::uint32_t kDefaultNofile = 16'384;  // of each process
inline constexpr std::uint32_t kDefaultTmpfsMb = 64;
inline constexpr std::uint32_t kDefaultShmSizeMb = 64;
inline constexpr std::chrono::seconds kDefaultKeepWarm{30};
inline constexpr std::uint32_t kDefaultMaxSessions = 8;

/// A file or directory of the host that the manifest names.
struct HostPath {
  std::string written;         // in the manifest; empty when it gives a name only
  std::filesystem::path path;  // absolute

  auto operator==(const HostPath&) const -> bool = default;
};

/// `written` as the manifest means it: relative to where it lies.
auto Resolve(const std::filesystem::path& directory, const std::string& written) -> HostPath;
auto ResolveSecret(const std::filesystem::path& directory, const manifest::Secret& secret, const HostFacts& host)
    -> HostPath;

/// Whom the processes of a container run as.
struct User {
  std::uint32_t uid = 1000;
  std::uint32_t gid = 1000;
};

/// Also where the host does not allow what is asked for.
auto UserOf(const manifest::Security& asked, const HostFacts& host) -> User;

/// Hard limits of a container.
struct Limits {
  std::uint64_t memory_mb = kDefaultMemoryMb;  // MiB, swap included; what is in /tmp and /dev/shm counts
  double cpu_cores = kDefaultCpuCores;
  std::uint32_t pids = kDefaultPids;
  std::uint32_t nofile = kDefaultNofile;  // open descriptors of each process
};

/// What a container may do beyond computing. The defaults are the locked-down ones.
struct Rights {
  manifest::Network network = manifest::Network::kNone;
  std::uint32_t uid = 1000;
  std::uint32_t gid = 1000;
  bool read_only_root = true;
  bool drop_all_capabilities = true;
  bool no_new_privileges = true;
  std::uint32_t tmpfs_mb = kDefaultTmpfsMb;       // MiB of /tmp
  std::uint32_t shm_size_mb = kDefaultShmSizeMb;  // MiB of its own /dev/shm
  std::vector<std::string> cap_add{};             // after all were dropped
  std::optional<HostPath> seccomp{};              // absent: the engine's profile; path empty: "unconfined"
  std::optional<std::string> apparmor{};          // absent: the engine's profile
};

struct Volume {
  HostPath source;
  std::string target;
  bool read_only = false;
};

struct Secret {
  std::string name;  // the file in kSecretsTarget
  HostPath source;
};

struct ContainerSpec {
  Limits limits;
  Rights rights;
  std::vector<Volume> volumes{};
  std::vector<Secret> secrets{};
  std::vector<manifest::Device> devices{};
  std::optional<manifest::Gpus> gpus{};
  manifest::Sharing sharing = manifest::Sharing::kShared;
  manifest::Duration keep_warm{kDefaultKeepWarm};    // after its last session; 0: gone at once
  std::uint32_t max_sessions = kDefaultMaxSessions;  // at a time
};

/// Errors: limits beyond the host or each other, a user who could not reach the shared memory, rights that would have
/// no effect.
auto ResolveContainer(const std::string& node, const manifest::DockerSection& docker,
                      const std::filesystem::path& directory, const HostFacts& host, manifest::Report& report)
    -> ContainerSpec;

/// What the manifest grants beyond the defaults, one phrase each: "network bridge", "writable root".
auto Loosened(const ContainerSpec& container) -> std::vector<std::string>;

}  // namespace penstock::plan
