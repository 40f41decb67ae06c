// Removing what dead participants left in a realm: their registrations, connections and segments.
//
// A participant that was killed keeps its place until it is removed, and there are few places. The runtime therefore
// has a dead consumer removed before its replacement starts, and a dead producer after its consumers took what it left.
#pragma once

#include <cstdint>

#include "base/deadline.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::transport {

struct CleanupReport {
  std::uint64_t cleaned = 0;  // participants that are gone now
  std::uint64_t failed = 0;   // dead ones that could not be removed (being cleaned by somebody else, damaged)
};

/// Runs the helper program `penstock-cleaner` on the realm, since what it reads may have been written by a hostile
/// peer: it is confined to the realm (Landlock, where the kernel has it), holds nothing else, and is killed at the
/// deadline. Errors: kDeadline; kUnavailable when the helper is not installed; kPeerCorrupt when it crashed on what it
/// found.
auto CleanDeadParticipants(const base::UniqueFd& realm, base::Deadline deadline) -> base::Expected<CleanupReport>;

}  // namespace penstock::transport
