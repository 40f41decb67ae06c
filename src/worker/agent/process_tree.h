// Ending everything that descends from this process.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/error.h"

namespace penstock::worker::agent {

/// Direct children of the calling (single-threaded) process, zombies included.
/// kUnavailable when the kernel does not list them (CONFIG_PROC_CHILDREN) or /proc is not mounted.
auto Children() -> base::Expected<std::vector<pid_t>>;

/// Kills and reaps children until none is left. Needs the caller to be a subreaper: what a dead child leaves behind
/// becomes a child in turn, so this ends whole trees, also of daemons that left their session. Only direct children are
/// signalled: their ids cannot be reused before we reap them, those of deeper descendants can.
/// Returns when all are gone, or when only processes are left that we may not signal (setuid programs).
void KillDescendants();

}  // namespace penstock::worker::agent
