// The agent for process and native nodes: the same program as in containers, as a child of this process.
#pragma once

#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "container/agent_lease.h"

namespace penstock::container {

/// Starts the agent and acquires its lease. It ends, with all its workers, when the lease closes.
auto StartHostAgent(const std::string& session, base::Deadline deadline) -> base::Expected<AgentLease>;

}  // namespace penstock::container
