// Why a node failed: from the evidence of its end to a cause, and from there to the one sentence that is told.
//
// Pure. The sentence is made of what is at hand when the end is noticed; what the engine says later is a detail of its
// own (DetailOf).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "container/evidence.h"
#include "container/host_memory.h"
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

/// It did not do `what` ("import its module and set up") in the time that it had, and is ended for that.
struct Overdue {
  std::string what;
  std::chrono::nanoseconds allowed{0};
  std::string remedy;
  bool while_running = false;  // in handling a message, not in its start
};
/// Its container is gone, and the agent with it, which would have told how the worker ended.
struct ContainerLost {};

/// How the end was noticed; of several, the first.
using End = std::variant<worker::Failed, worker::Exited, Overdue, ContainerLost>;

struct Evidence {
  Phase phase = Phase::kRunning;
  std::chrono::nanoseconds since_start{0};  // of its worker; 0: not started
  std::optional<InFlight> in_flight;
  std::optional<container::ContainerEvidence> container;  // of container nodes
  container::HostMemory host;                             // its oom_kills since the session began
  std::string stack;                                      // what the interpreter printed about where it was, at a crash
  double host_cores = 0;
};

enum class Cause {
  kNode,              // its own error, and no limit had to do with it
  kExit,              // an exit code without a word
  kSignal,            // a crash, or a kill that nothing explains
  kMemoryLimit,       // the worker was killed at its container's limit
  kChildMemoryLimit,  // one of its child processes was
  kHostMemory,        // the host had no memory left; not at the limit
  kPidsLimit,         // processes or threads were refused
  kCpuLimit,          // too late, because its container was throttled
  kStorageFull,       // no room in a file system that lives in memory
  kOverdue,           // too late by itself: our own kill
  kContainerKilled,   // by somebody, through the engine
  kContainerEnded,    // by itself, or nobody knows how (yet)
  kEngineStopped,     // the engine went, its containers with it
};

auto Judge(const End& end, const Evidence& evidence) -> Cause;
/// The failure as it is told at once.
auto FailureOf(const plan::Node& node, const End& end, const Evidence& evidence) -> Failure;

/// Whether the engine may have more to say about it than is known yet: a container that is gone, or a worker that a
/// signal ended which may have come through its container (docker stop reaches the workers).
auto IsUnexplained(const End& end, const Evidence& evidence) -> bool;
/// What the engine's account adds to a failure that was unexplained when it was told; nullopt: nothing.
auto DetailOf(const plan::Node& node, const container::EngineRecord& engine, bool engine_lost)
    -> std::optional<std::string>;

/// Whether any limit has cost its container a process.
auto HasMetLimits(const Evidence& evidence) -> bool;
/// What limits did to a node that went on all the same, one sentence each, for the summary.
auto RemarksOn(const plan::Node& node, const Evidence& evidence) -> std::vector<std::string>;
/// How much a container was held up by its CPU limit, as a clause; nullopt when that is not worth a word.
auto ThrottledClause(const plan::Node& node, const Evidence& evidence) -> std::optional<std::string>;

}  // namespace penstock::session
