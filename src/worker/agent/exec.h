// The last steps of a new process before it becomes the worker.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "worker/protocol.h"

namespace penstock::worker::agent {

/// What is wrong with a request, before anything is started: empty argv, targets out of range or twice, names that the
/// kernel cannot represent.
auto CheckSpawn(const Spawn& spawn) -> base::Status;

/// Why the program could not be started; sent through a pipe from the process that tried.
struct ExecFailure {
  enum class Step : int { kSession, kParentGone, kDirectory, kDescriptors, kDomain, kProgram } step = Step::kProgram;
  int saved_errno = 0;
};

/// "cannot run '/usr/bin/python3': No such file or directory".
auto Describe(const ExecFailure& failure, const Spawn& spawn) -> std::string;

/// In a freshly forked child of `keeper`: a session of its own, default signals, exactly the requested descriptors,
/// environment and directory; killed by the kernel when its keeper dies. Becomes the program, or returns why not.
/// `report` stays open meanwhile (it moves; use the returned descriptor's number through `report`) and closes on
/// success.
auto BecomeWorker(const Spawn& spawn, const std::vector<base::UniqueFd>& fds, pid_t keeper, base::UniqueFd& report)
    -> ExecFailure;

/// Closes every descriptor that is not in `keep`.
void CloseAllBut(std::vector<int> keep);

}  // namespace penstock::worker::agent
