// The engine as every verb connects to it.
#pragma once

#include <memory>

#include "docker/engine.h"

namespace penstock::cli {

/// Errors are one sentence with the remedy; a missing engine never means that nodes run on the host instead.
auto ConnectEngine(docker::RequestObserver observer = {}) -> base::Expected<std::unique_ptr<docker::Engine>>;

}  // namespace penstock::cli
