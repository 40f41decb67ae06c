// The agent for process and native nodes: the same program as in containers, as a child of this process.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "base/deadline.h"
#include "base/error.h"
#include "container/agent_lease.h"

namespace penstock::container {

class HostAgent final {
 public:
  /// Starts the agent and acquires its lease.
  static auto Start(const std::string& session, base::Deadline deadline) -> base::Expected<std::unique_ptr<HostAgent>>;
  HostAgent(const HostAgent&) = delete;
  auto operator=(const HostAgent&) -> HostAgent& = delete;
  /// Closes the lease, which ends the agent with all its workers, and waits for that end.
  ~HostAgent();

  auto lease() noexcept -> AgentLease& { return lease_; }

 private:
  HostAgent(AgentLease lease, pid_t pid) : lease_(std::move(lease)), pid_(pid) {}
  AgentLease lease_;
  pid_t pid_;
};

}  // namespace penstock::container
