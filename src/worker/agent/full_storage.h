// Which file systems in memory have no room left, as this process sees them: evidence that goes with the container.
#pragma once

#include <string>
#include <vector>

#include "worker/protocol.h"

namespace penstock::worker::agent {

/// Writable tmpfs mounts without room, from the mount table at `table`.
auto FullFileSystems(const std::string& table = "/proc/self/mounts") -> std::vector<FullFileSystem>;

}  // namespace penstock::worker::agent
