// Takes a message that is put into quarantine from the worker that was handed it, and keeps it.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "base/unique_fd.h"
#include "observe/quarantine.h"

namespace penstock::session {

/// Reads from `socket` to its end, at most a header and `max_chunk_bytes`, and keeps it as `entry` of `quarantine`.
/// Blocking. False: the worker ended before, or sent what is no message; then nothing is kept. Errors: the disk's.
auto KeepMessage(const base::UniqueFd& socket, std::uint64_t max_chunk_bytes, const std::filesystem::path& quarantine,
                 observe::Quarantined entry) -> base::Expected<bool>;

}  // namespace penstock::session
