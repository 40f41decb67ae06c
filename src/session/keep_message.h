// Takes a message that is put into quarantine from the worker that was handed it, and keeps it.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "base/unique_fd.h"
#include "observe/quarantine.h"

namespace penstock::session {

struct KeepLimits {
  std::uint64_t chunk_bytes = 0;  // of the message
  std::uint64_t quarantine_bytes = observe::kQuarantineBytes;
};

/// Reads from `socket` to its end, at most a header and a chunk, and keeps it as `entry` of `quarantine`.
/// Blocking. False: the worker ended before, or sent what is no message; then nothing is kept. Errors: the disk's;
/// kExhausted when it would be more than the quarantine may hold.
auto KeepMessage(const base::UniqueFd& socket, const KeepLimits& limits, const std::filesystem::path& quarantine,
                 observe::Quarantined entry) -> base::Expected<bool>;

}  // namespace penstock::session
