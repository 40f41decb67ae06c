// A plan's limits and rights in the engine's words.
#pragma once

#include "base/error.h"
#include "docker/types.h"
#include "plan/container_spec.h"

namespace penstock::container {

/// Sets everything that limits the container or lets it see the host: user, limits, rights, volumes, devices. Appends
/// to the mounts that are there. Reads the seccomp profile, as the engine wants its text. Errors: that file's.
auto Confine(const plan::ContainerSpec& plan, docker::ContainerSpec& spec) -> base::Status;

}  // namespace penstock::container
