#include "plan/container_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace penstock::plan {
namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;

auto ParseId(std::string_view text) -> std::uint32_t {
  std::uint32_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id);  // checked when the manifest was read
  return id;
}

auto ResolveLimits(const std::string& node, const manifest::ResourceLimits& asked, const HostFacts& host,
                   manifest::Report& report) -> Limits {
  const auto host_mb = host.memory_bytes / kMebibyte;
  if (asked.memory_mb && *asked.memory_mb > host_mb) {
    report.AddAt(asked.memory_at,
                 fmt::format("'memory_mb' of node '{}' is {}, but this host has {}", node, *asked.memory_mb, host_mb));
  }
  if (asked.cpu_cores && *asked.cpu_cores > host.cpus) {
    report.AddAt(asked.cpu_at, fmt::format("'cpu_cores' of node '{}' is {}, but this host has {}", node,
                                           *asked.cpu_cores, host.cpus));
  }
  return {.memory_mb = asked.memory_mb.value_or(std::min(kDefaultMemoryMb, host_mb)),
          .cpu_cores = asked.cpu_cores.value_or(std::min(kDefaultCpuCores, host.cpus)),
          .pids = asked.pids.value_or(kDefaultPids),
          .nofile = asked.nofile.value_or(kDefaultNofile)};
}

/// A file system in memory that is larger than the memory would end in a kill, not in "no space left".
void CheckMemoryFiles(const std::string& node, const manifest::DockerSection& docker, const Limits& limits,
                      manifest::Report& report) {
  const std::uint64_t asked = std::uint64_t{docker.tmpfs_mb.value_or(0)} + docker.shm_size_mb.value_or(0);
  if (asked <= limits.memory_mb) return;
  report.AddAt(
      docker.tmpfs_mb ? docker.tmpfs_at : docker.shm_size_at,
      fmt::format("/tmp and /dev/shm of node '{}' may take {} MB, which count as memory, but its 'memory_mb' is "
                  "{}: raise that, or lower 'tmpfs_mb' and 'shm_size_mb'",
                  node, asked, limits.memory_mb));
}

void ResolveUser(const std::string& node, const manifest::Security& asked, const HostFacts& host,
                 manifest::Report& report, Rights& rights) {
  const auto user = UserOf(asked, host);
  rights.uid = host.container_uid;
  rights.gid = host.container_gid;
  if (host.container_user_is_fixed && user.uid != host.container_uid) {
    report.AddAt(asked.user_at,
                 fmt::format("'user' of node '{}' is {}, but only user {} can write into the shared memory that you "
                             "make: remove it, or run penstock as root",
                             node, user.uid, host.container_uid));
    return;
  }
  rights.uid = user.uid;
  rights.gid = user.gid;
}

auto ResolveSeccomp(const std::string& written, const std::filesystem::path& directory) -> HostPath {
  if (written == "unconfined") return {.written = written, .path = {}};
  return Resolve(directory, written);
}

auto ResolveRights(const std::string& node, const manifest::DockerSection& docker,
                   const std::filesystem::path& directory, const HostFacts& host, manifest::Report& report) -> Rights {
  const auto& asked = docker.security;
  Rights rights;
  rights.network = docker.network.value_or(manifest::Network::kNone);
  rights.tmpfs_mb = docker.tmpfs_mb.value_or(kDefaultTmpfsMb);
  rights.shm_size_mb = docker.shm_size_mb.value_or(kDefaultShmSizeMb);
  rights.read_only_root = asked.read_only_root.value_or(true);
  rights.cap_add = asked.cap_add;
  rights.apparmor = asked.apparmor;
  if (asked.seccomp) rights.seccomp = ResolveSeccomp(*asked.seccomp, directory);
  ResolveUser(node, asked, host, report, rights);
  if (!rights.cap_add.empty() && rights.uid != 0) {
    report.AddAt(asked.cap_add_at,
                 fmt::format("'cap_add' of node '{}' has no effect for user {}, as only root gets capabilities: add "
                             "'user: \"0\"', or remove it",
                             node, rights.uid));
  }
  return rights;
}

auto RenderDevice(const manifest::Device& device) -> std::string {
  const auto place = device.container_path == device.host_path ? "" : fmt::format(" as {}", device.container_path);
  return fmt::format("device {}{} ({})", device.host_path, place, device.permissions);
}

auto RenderGpus(const manifest::Gpus& gpus) -> std::string {
  if (gpus.count == manifest::Gpus::kAll) return "all GPUs";
  if (gpus.count > 0) return fmt::format("{} GPU{}", gpus.count, gpus.count == 1 ? "" : "s");
  return fmt::format("GPUs {}", fmt::join(gpus.ids, " "));
}

}  // namespace

auto UserOf(const manifest::Security& asked, const HostFacts& host) -> User {
  User user{.uid = host.container_uid, .gid = host.container_gid};
  if (!asked.user) return user;
  const std::string_view text(*asked.user);
  const auto colon = text.find(':');
  const auto uid = ParseId(text.substr(0, colon));
  if (uid != user.uid) user.gid = uid;
  user.uid = uid;
  if (colon != std::string_view::npos) user.gid = ParseId(text.substr(colon + 1));
  return user;
}

auto Resolve(const std::filesystem::path& directory, const std::string& written) -> HostPath {
  return {.written = written, .path = (directory / written).lexically_normal()};
}

auto ResolveSecret(const std::filesystem::path& directory, const manifest::Secret& secret, const HostFacts& host)
    -> HostPath {
  if (secret.file) return Resolve(directory, *secret.file);
  return {.written = {}, .path = host.secrets_directory / secret.name};
}

auto ResolveContainer(const std::string& node, const manifest::DockerSection& docker,
                      const std::filesystem::path& directory, const HostFacts& host, manifest::Report& report)
    -> ContainerSpec {
  ContainerSpec container;
  container.limits = ResolveLimits(node, docker.resource_limits, host, report);
  container.rights = ResolveRights(node, docker, directory, host, report);
  CheckMemoryFiles(node, docker, container.limits, report);
  for (const auto& volume : docker.volumes) {
    container.volumes.push_back({.source = Resolve(directory, volume.host_path),
                                 .target = volume.container_path,
                                 .read_only = volume.read_only});
  }
  for (const auto& secret : docker.secrets) {
    container.secrets.push_back({.name = secret.name, .source = ResolveSecret(directory, secret, host)});
  }
  container.devices = docker.devices;
  container.gpus = docker.gpus;
  container.sharing = docker.sharing.value_or(manifest::Sharing::kShared);
  // Nobody could use a warm one of its own.
  const bool exclusive = container.sharing == manifest::Sharing::kExclusive;
  container.keep_warm = docker.keep_warm.value_or(exclusive ? manifest::Duration::zero() : kDefaultKeepWarm);
  container.max_sessions = exclusive ? 1 : docker.max_sessions_per_container.value_or(kDefaultMaxSessions);
  return container;
}

auto Loosened(const ContainerSpec& container) -> std::vector<std::string> {
  const auto& rights = container.rights;
  std::vector<std::string> phrases;
  if (rights.uid == 0) phrases.emplace_back("root");
  if (rights.network != manifest::Network::kNone) {
    phrases.push_back(fmt::format("network {}", manifest::ToString(rights.network)));
  }
  if (!rights.read_only_root) phrases.emplace_back("writable root");
  if (!rights.cap_add.empty()) phrases.push_back(fmt::format("capabilities {}", fmt::join(rights.cap_add, " ")));
  if (rights.seccomp) phrases.push_back(fmt::format("seccomp {}", rights.seccomp->written));
  if (rights.apparmor) phrases.push_back(fmt::format("apparmor {}", *rights.apparmor));
  for (const auto& volume : container.volumes) {
    phrases.push_back(fmt::format("{} {}", volume.read_only ? "sees" : "may write", volume.source.written));
  }
  for (const auto& device : container.devices) phrases.push_back(RenderDevice(device));
  if (container.gpus) phrases.push_back(RenderGpus(*container.gpus));
  return phrases;
}

}  // namespace penstock::plan
