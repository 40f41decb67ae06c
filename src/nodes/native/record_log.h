// The worker's own messages as log records (docs/worker-protocol.md), so that they reach the runtime with level and
// time.
#pragma once

namespace penstock::nodes::native {

/// From now on base::Log writes JSON lines to `fd` (to standard error when it is not open). A record that the pipe has
/// no room for is dropped, and the next says how many were: a log must not hold up the node.
void SendLogTo(int fd);

}  // namespace penstock::nodes::native
