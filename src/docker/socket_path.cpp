#include "docker/socket_path.h"

#include <sys/un.h>

#include <cstdlib>
#include <string_view>

namespace penstock::docker {
namespace {
constexpr std::string_view kUsualSocket = "/var/run/docker.sock";
constexpr std::string_view kUnix = "unix://";
}  // namespace

auto SocketPath(const std::string& host) -> base::Expected<std::string> {
  using base::ErrorCode;
  std::string address = host;
  std::string_view origin = "the engine's address";
  if (address.empty()) {
    const char* environment = std::getenv("DOCKER_HOST");  // NOLINT(concurrency-mt-unsafe): nobody sets it
    if (environment == nullptr || *environment == '\0') return std::string(kUsualSocket);
    address = environment;
    origin = "DOCKER_HOST";
  }
  std::string path;
  if (address.starts_with(kUnix)) {
    path = address.substr(kUnix.size());
  } else if (address.starts_with('/')) {
    path = address;
  } else if (address.find("://") != std::string::npos) {
    return base::Fail(
        ErrorCode::kUnsupported,
        "{} is '{}', but the engine must share this machine's kernel, so that descriptors can be handed to "
        "containers: use a local engine, unix:///var/run/docker.sock",
        origin, address);
  }
  if (!path.starts_with('/')) {
    return base::Fail(ErrorCode::kInvalidArgument, "{} is '{}', which is no address: write unix:///path/of/docker.sock",
                      origin, address);
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return base::Fail(ErrorCode::kInvalidArgument,
                      "{} is '{}', longer than a Unix socket's path may be ({} bytes): use a shorter link to it",
                      origin, address, sizeof(sockaddr_un::sun_path) - 1);
  }
  return path;
}

}  // namespace penstock::docker
