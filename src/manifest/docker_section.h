// What a node's `docker` section says: the environment it needs, what it may use, and what it is let see of the host.
//
// As the manifest has it: relative paths are still relative to the manifest, absent fields absent. Immutable values.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace penstock::manifest {

using Duration = std::chrono::nanoseconds;

enum class Network { kNone, kBridge, kHost };
/// Whether sessions with the same container may run in one.
enum class Sharing { kShared, kExclusive };

auto ToString(Network network) -> std::string_view;
auto ToString(Sharing sharing) -> std::string_view;

/// One line of `python_packages`.
struct PythonPackage {
  std::string requirement;  // as pip reads it: "numpy==1.26.4", "torch>=2,<3; python_version < '3.12'"
  bool no_deps = false;     // installed without what it depends on

  auto operator==(const PythonPackage&) const -> bool = default;
};

struct ResourceLimits {
  std::optional<std::uint64_t> memory_mb;  // MiB, swap included; at least 128
  std::optional<double> cpu_cores;         // at least 0.1
  std::optional<std::uint32_t> pids;       // processes and threads
  std::optional<std::uint32_t> nofile;     // open descriptors of a process
  base::SourcePosition memory_at;          // for errors that only the plan can find
  base::SourcePosition cpu_at;
};

struct Volume {
  std::string host_path;       // of a file or directory; relative to the manifest
  std::string container_path;  // absolute
  bool read_only = false;
  base::SourcePosition host_at;
  base::SourcePosition container_at;
};

/// A file that a node finds at /run/secrets/NAME.
struct Secret {
  std::string name;
  std::optional<std::string> file;  // relative to the manifest; absent: NAME in the user's directory of secrets
  base::SourcePosition at;
};

/// An image by the user's own Dockerfile, in place of `base_image`.
struct ImageBuild {
  std::string context;                    // directory, relative to the manifest
  std::optional<std::string> dockerfile;  // relative to the context; absent: "Dockerfile"
  base::SourcePosition at;
};

struct Gpus {
  static constexpr std::int64_t kAll = -1;
  std::int64_t count = 0;        // kAll, or how many; 0: those in `ids`
  std::vector<std::string> ids;  // indices or UUIDs, as the engine's driver names them
};

/// Written "/dev/x", "/dev/x:/dev/y" or "/dev/x:/dev/y:rwm".
struct Device {
  std::string host_path;
  std::string container_path;
  std::string permissions = "rwm";  // read, write, mknod
  base::SourcePosition at;
};

struct Security {
  std::optional<std::string> user;  // "1001" or "1001:100"
  std::optional<bool> read_only_root;
  std::vector<std::string> cap_add;     // "NET_ADMIN"; without "CAP_"
  std::optional<std::string> seccomp;   // "unconfined", or the file of a profile, relative to the manifest
  std::optional<std::string> apparmor;  // "unconfined", or the name of a loaded profile
  base::SourcePosition user_at;
  base::SourcePosition cap_add_at;
  base::SourcePosition seccomp_at;
};

struct DockerSection {
  std::string python_version;             // "3.9" … "3.13"
  std::optional<std::string> base_image;  // absent: Penstock's own image of that version
  std::optional<ImageBuild> build;
  std::vector<std::string> system_dependencies;
  std::vector<PythonPackage> python_packages;
  ResourceLimits resource_limits;
  std::map<std::string, std::string> env;
  std::optional<std::string> env_file;  // relative to the manifest; `env` wins over it
  std::vector<Secret> secrets;
  std::vector<Volume> volumes;
  std::optional<Network> network;
  std::optional<std::uint32_t> tmpfs_mb;     // MiB of /tmp
  std::optional<std::uint32_t> shm_size_mb;  // MiB of the container's own /dev/shm
  std::optional<Sharing> sharing;
  std::optional<Duration> keep_warm;  // after the last session; 0: gone at once
  std::optional<std::uint32_t> max_sessions_per_container;
  std::optional<Gpus> gpus;
  std::vector<Device> devices;
  Security security;
  base::SourcePosition env_file_at;
  base::SourcePosition tmpfs_at;
  base::SourcePosition shm_size_at;
};

/// The section that would be read as this one: only what was given, durations in seconds.
auto ToJson(const DockerSection& docker) -> nlohmann::json;
auto ToJson(const std::vector<PythonPackage>& packages) -> nlohmann::json;
auto ToJson(Duration duration) -> nlohmann::json;

}  // namespace penstock::manifest
