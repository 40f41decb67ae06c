#include "container/confine.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace penstock::container {
namespace {

constexpr std::int64_t kMebibyte = 1024L * 1024;
constexpr std::size_t kLongestProfile = 1024UL * 1024;

void SetLimits(const plan::Limits& limits, docker::ContainerSpec& spec) {
  spec.memory_bytes = static_cast<std::int64_t>(limits.memory_mb) * kMebibyte;
  spec.nano_cpus = std::llround(limits.cpu_cores * 1e9);
  spec.pids_limit = limits.pids;
  spec.ulimits.push_back({.name = "nofile", .soft = limits.nofile, .hard = limits.nofile});
}

auto SeccompOption(const plan::HostPath& profile) -> base::Expected<std::string> {
  if (profile.path.empty()) return "seccomp=" + profile.written;
  PENSTOCK_ASSIGN(const auto text, base::ReadFile(profile.path, kLongestProfile));
  if (!nlohmann::json::accept(text)) {
    return base::Fail(base::ErrorCode::kInvalidArgument, "the seccomp profile '{}' is not JSON", profile.path.string());
  }
  return "seccomp=" + text;
}

auto SetRights(const plan::Rights& rights, docker::ContainerSpec& spec) -> base::Status {
  spec.user = fmt::format("{}:{}", rights.uid, rights.gid);
  spec.network = manifest::ToString(rights.network);
  spec.tmpfs = {{.target = "/tmp", .size_bytes = rights.tmpfs_mb * kMebibyte, .options = "mode=1777"}};
  spec.shm_bytes = rights.shm_size_mb * kMebibyte;
  spec.read_only_root = rights.read_only_root;
  if (rights.drop_all_capabilities) spec.cap_drop = {"ALL"};
  spec.cap_add = rights.cap_add;
  if (rights.no_new_privileges) spec.security_options.emplace_back("no-new-privileges");
  if (rights.apparmor) spec.security_options.push_back("apparmor=" + *rights.apparmor);
  if (rights.seccomp) {
    PENSTOCK_ASSIGN(auto option, SeccompOption(*rights.seccomp));
    spec.security_options.push_back(std::move(option));
  }
  return {};
}

}  // namespace

auto Confine(const plan::ContainerSpec& plan, docker::ContainerSpec& spec) -> base::Status {
  SetLimits(plan.limits, spec);
  PENSTOCK_TRY(SetRights(plan.rights, spec));
  for (const auto& volume : plan.volumes) {
    spec.mounts.push_back({.source = volume.source.path, .target = volume.target, .read_only = volume.read_only});
  }
  for (const auto& device : plan.devices) {
    spec.devices.push_back(
        {.host_path = device.host_path, .container_path = device.container_path, .permissions = device.permissions});
  }
  if (plan.gpus) spec.gpus = docker::GpuRequest{.count = plan.gpus->count, .ids = plan.gpus->ids};
  return {};
}

}  // namespace penstock::container
