#include "container/container_spec.h"

#include <cmath>

#include "base/sha256.h"
#include "docker/encode.h"

namespace penstock::container {
namespace {
constexpr std::int64_t kMebibyte = 1024 * 1024;
}

auto EngineSpecOf(const ContainerRequest& request) -> docker::ContainerSpec {
  const auto& rights = request.spec.rights;
  const auto& limits = request.spec.limits;
  docker::ContainerSpec spec;
  spec.image = request.image;
  spec.entrypoint = docker::Strings{};
  spec.user = fmt::format("{}:{}", rights.uid, rights.gid);
  spec.working_dir = "/";
  spec.mounts = {{.source = request.installed, .target = kInstallTarget},
                 {.source = request.code, .target = kCodeTarget}};
  spec.tmpfs = {{.target = "/tmp", .size_bytes = rights.tmpfs_mb * kMebibyte, .options = "mode=1777"}};
  spec.network = manifest::ToString(rights.network);
  spec.memory_bytes = static_cast<std::int64_t>(limits.memory_mb) * kMebibyte;
  spec.nano_cpus = std::llround(limits.cpu_cores * 1e9);
  spec.pids_limit = limits.pids;
  spec.read_only_root = rights.read_only_root;
  if (rights.drop_all_capabilities) spec.cap_drop = {"ALL"};
  if (rights.no_new_privileges) spec.security_options = {"no-new-privileges"};
  return spec;
}

auto Identity(const ContainerRequest& request) -> base::Expected<std::string> {
  PENSTOCK_ASSIGN(const auto spec, docker::EncodeContainer(EngineSpecOf(request)));
  PENSTOCK_ASSIGN(const auto env, docker::EncodeMap(request.env));
  return base::Sha256(fmt::format("{}\n{}\n{}\n{}", PENSTOCK_VERSION, request.ordinal, env, spec));
}

}  // namespace penstock::container
