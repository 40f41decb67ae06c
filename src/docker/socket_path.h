// Where the engine listens.
#pragma once

#include <string>

#include "base/error.h"

namespace penstock::docker {

/// From "unix:///run/x.sock" or "/run/x.sock"; from $DOCKER_HOST when `host` is empty, else the usual socket.
/// Errors: kUnsupported for tcp:// and ssh://, kInvalidArgument for what is no address.
auto SocketPath(const std::string& host) -> base::Expected<std::string>;

}  // namespace penstock::docker
