// Whose words are heard while a node's worker is being replaced.
#pragma once

#include "session/node_state.h"
#include "worker/protocol.h"

namespace penstock::session {

/// Whether what came over the channel of the node's worker counts. What a worker still has to say when it is being
/// replaced is not its successor's. Why the successor failed may be read after its agent has said that it has ended.
auto IsHeard(const NodeState& state, const worker::FromWorker& message) -> bool;

}  // namespace penstock::session
