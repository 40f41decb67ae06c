// What each node of a running session is at, for whoever asks: which message it handles, for whom it waits, and how far
// its restart is. Lives on the session's loop.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>

#include "session/account.h"

namespace penstock::session {

/// The fields `handling`, `waits_for` and `restarting` of docs/ps.md.
auto DoingOf(const SessionView& session, std::size_t index) -> nlohmann::json;

}  // namespace penstock::session
