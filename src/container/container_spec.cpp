#include "container/container_spec.h"

#include <sys/stat.h>

#include "base/sha256.h"
#include "container/confine.h"
#include "docker/encode.h"

namespace penstock::container {
namespace {

// A container holds copies of them, so that one which was changed needs a new container.
auto VersionsOf(const std::vector<plan::Secret>& secrets) -> std::string {
  std::string versions;
  for (const auto& secret : secrets) {
    struct stat status{};
    ::stat(secret.source.path.c_str(), &status);  // a missing one is reported when it is copied
    versions += fmt::format("{} {} {} {} {}.{}\n", secret.name, secret.source.path.string(), status.st_ino,
                            status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return versions;
}

}  // namespace

auto EngineSpecOf(const ContainerRequest& request) -> base::Expected<docker::ContainerSpec> {
  docker::ContainerSpec spec;
  spec.image = request.image;
  spec.entrypoint = docker::Strings{};
  spec.working_dir = "/";
  spec.mounts = {{.source = request.installed, .target = kInstallTarget},
                 {.source = request.code, .target = kCodeTarget}};
  PENSTOCK_TRY(Confine(request.spec, spec));
  return spec;
}

auto Identity(const ContainerRequest& request) -> base::Expected<std::string> {
  PENSTOCK_ASSIGN(const auto engine_spec, EngineSpecOf(request));
  PENSTOCK_ASSIGN(const auto spec, docker::EncodeContainer(engine_spec));
  PENSTOCK_ASSIGN(const auto env, docker::EncodeMap(request.env));
  return base::Sha256(fmt::format("{}\n{}\n{}\n{}\n{}", PENSTOCK_VERSION, request.ordinal, env,
                                  VersionsOf(request.spec.secrets), spec));
}

}  // namespace penstock::container
