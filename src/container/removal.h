// The end of a container that nobody uses: in the engine, and its entry in the runtime directory.
#pragma once

#include "base/error.h"
#include "container/locked_directory.h"
#include "docker/engine.h"

namespace penstock::container {

/// Removes the container whose entry is `claimed`, and then the entry: one whose container the engine could not remove
/// stays, for whoever looks next. Errors: the engine's.
auto RemoveClaimed(const docker::Engine& engine, const LockedDirectory& claimed, const docker::Call& call)
    -> base::Expected<docker::Removal>;

}  // namespace penstock::container
