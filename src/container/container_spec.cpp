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

}  // namespace

auto Prepare(ContainerRequest request, const std::function<std::uint32_t(const std::string&)>& ordinal)
    -> base::Expected<PreparedRequest> {
  PENSTOCK_ASSIGN(auto engine, EngineSpecOf(request));
  PENSTOCK_ASSIGN(const auto spec, docker::EncodeContainer(engine));
  PENSTOCK_ASSIGN(const auto env, docker::EncodeMap(request.env));
  const auto content =
      base::Sha256(fmt::format("{}\n{}\n{}\n{}", PENSTOCK_VERSION, env, VersionsOf(request.spec.secrets), spec));
  auto identity = base::Sha256(fmt::format("{}\n{}", content, ordinal(content)));
  return PreparedRequest{.request = std::move(request), .engine = std::move(engine), .identity = std::move(identity)};
}

}  // namespace penstock::container
