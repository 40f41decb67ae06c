// One node of a running session: its place, its worker, and how far it has come.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "container/agent_lease.h"
#include "container/container.h"
#include "container/evidence.h"
#include "observe/quarantine.h"
#include "plan/plan.h"
#include "session/autopsy.h"
#include "session/fault_dump.h"
#include "session/report.h"
#include "session/restart_budget.h"
#include "session/settlement.h"
#include "session/worker_process.h"

namespace penstock::session {

/// A worker that has failed, on the way to its successor.
struct Replacement {
  bool ended = false;           // the old worker is gone
  bool container_lost = false;  // with its container
  bool settled = false;         // what it left in shared memory is cleared
  bool may_start = false;       // the backoff is over
  bool greeted = false;         // the new worker waits to be configured
  bool moved = false;           // the container ended before that, and another one is its place
  std::shared_ptr<Settlement> settlement;
  std::uint64_t settling_since_ns = 0;  // CLOCK_MONOTONIC
  struct Progress {
    std::uint64_t acked = 0;
    std::uint64_t since_ns = 0;  // CLOCK_MONOTONIC
  };
  std::map<std::size_t, Progress> progress;  // by edge: of what it had sent, as was seen
  base::EventLoop::TimerId timer = 0;
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
};

/// The message that a node had in hands when it failed.
struct Suspect {
  std::size_t edge = 0;
  std::uint64_t sequence = 0;
  std::vector<observe::Quarantined::Failure> failures;  // at this message, one after the other
  bool convicted = false;                               // it has had its last attempt
};

/// Owned by the session, and lives on its loop.
struct NodeState {
  const plan::Node* node = nullptr;
  std::optional<container::Container> container;
  std::unique_ptr<container::AgentLease> lease;  // of its container; null: the host agent's
  std::optional<container::ContainerWatch> watch;
  WorkerCommand command;
  std::unique_ptr<WorkerProcess> worker;
  std::chrono::steady_clock::time_point spawned;  // meaningful while there is a worker
  FaultDump dump;
  base::EventLoop::TimerId deadline = 0;
  bool join_told = false;                      // that it holds others up while it waits for input
  std::uint64_t waits_seen = 0;                // the beginning of the handler that was last found waiting for others
  std::map<std::size_t, std::uint64_t> waits;  // by edge that had no room: handlers that waited beyond their time
  base::EventLoop::TimerId watchdog = 0;
  std::optional<Overdue> overdue;  // it was late, and is being ended for that
  std::string interpreter;
  bool finished = false;
  bool died = false;    // says the kernel
  bool exited = false;  // says its agent, which knows how
  bool killed = false;  // by a signal, says its agent
  bool warned_of_limits = false;
  bool keeps = false;                  // in a process that goes on, messages that it had
  std::uint64_t running_since_ns = 0;  // CLOCK_MONOTONIC: of this worker's stream
  std::optional<Failure> left_out;     // for which the session goes on without the node
  std::uint32_t restarts = 0;
  std::optional<Suspect> suspect;
  std::uint32_t quarantined = 0;                   // messages
  std::optional<RestartBudget> quarantines;        // how many of them are too many; there with the next
  std::optional<RestartBudget> budget;             // of nodes that may be restarted
  std::unique_ptr<Replacement> replacing;          // from its failure until its new worker opens its ports
  std::map<std::size_t, std::uint64_t> refreshed;  // by edge into it: how often its history had come when it attached
  std::optional<std::int64_t> max_rss_kb;
};

}  // namespace penstock::session
