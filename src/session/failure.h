// The one sentence that says why a node failed.
#pragma once

#include <optional>
#include <string>

#include "container/cgroup.h"
#include "observe/edge_stats.h"
#include "plan/plan.h"
#include "session/report.h"
#include "worker/protocol.h"

namespace penstock::session {

/// What was in a node's hands when it ended.
struct InFlight {
  std::string edge;
  std::uint64_t sequence = 0;
  std::uint64_t handling_ns = 0;
};

/// How far a worker had come.
enum class Phase { kStarting, kRunning, kFinished };

struct EndEvidence {
  Phase phase = Phase::kRunning;
  std::optional<InFlight> in_flight;
  std::optional<container::MemoryAccount> memory;  // of its container
};

/// The node said itself what went wrong.
auto FailureOf(const plan::Node& node, const worker::Failed& failed) -> Failure;
/// Its process ended without a word.
auto FailureOf(const plan::Node& node, const worker::Exited& exited, const EndEvidence& evidence) -> Failure;

}  // namespace penstock::session
