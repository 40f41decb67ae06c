// What a session promises its containers, told to other runtimes of the same user: a file in the session's directory
// (session/control.h), there as long as its runtime lives and uses them.
#pragma once

#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/file_lock.h"
#include "plan/plan.h"

namespace penstock::session {

/// Held from looking at what others have promised until one's own promises are written, so that two runtimes that
/// start at once do not promise the same memory. Errors: kDeadline when somebody else holds it for seconds.
auto AdmissionLock() -> base::Expected<base::FileLock>;

/// Into the directory of a session that is about to start.
auto WritePromises(const std::filesystem::path& directory, const plan::Plan& plan) -> base::Status;
/// Of the sessions whose runtime lives, oldest first.
auto RunningSessions() -> base::Expected<std::vector<plan::RunningSession>>;

}  // namespace penstock::session
