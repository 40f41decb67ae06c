// One node of a running session: its place, its worker, and how far it has come.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "container/agent_lease.h"
#include "container/container.h"
#include "container/evidence.h"
#include "plan/plan.h"
#include "session/fault_dump.h"
#include "session/worker_process.h"

namespace penstock::session {

/// Owned by the session, and lives on its loop.
struct NodeState {
  const plan::Node* node = nullptr;
  std::optional<container::Container> container;
  std::unique_ptr<container::AgentLease> lease;  // of its container; null: the host agent's
  std::optional<container::ContainerWatch> watch;
  std::unique_ptr<WorkerProcess> worker;
  std::chrono::steady_clock::time_point spawned;  // meaningful while there is a worker
  FaultDump dump;
  base::EventLoop::TimerId deadline = 0;
  std::string interpreter;
  bool finished = false;
  bool exited = false;
  std::optional<std::int64_t> max_rss_kb;
};

}  // namespace penstock::session
