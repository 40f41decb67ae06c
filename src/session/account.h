// What can be said of a running session: read from its plan, its control blocks, its nodes' state and the kernel's
// counters, without disturbing any of them. Lives on the session's loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "container/counters.h"
#include "plan/plan.h"
#include "session/autopsy.h"
#include "session/node_state.h"
#include "session/report.h"
#include "session/wiring.h"

namespace penstock::session {

/// Where to read; borrowed from the session.
struct SessionView {
  const plan::Plan& plan;
  const Wiring& wiring;
  std::deque<NodeState>& nodes;  // by plan index; reading a container's counters keeps them as the last known ones
  bool started = false;          // all nodes were told to start
  std::uint64_t oom_kills_before = 0;  // on this host, when the session began
};

/// What is known about node `index`, for its autopsy.
auto EvidenceOf(const SessionView& session, std::size_t index) -> Evidence;

/// What node `index` is doing, as its control blocks say: one edge whose message it handles, and what holds it up.
struct HandlerState {
  std::uint64_t now_ns = 0;    // CLOCK_MONOTONIC
  std::uint64_t since_ns = 0;  // 0: it handles nothing
  std::size_t edge = 0;
  std::uint64_t sequence = 0;
  std::uint64_t blocked_ns = 0;        // of that, by all its outputs, without the wait below
  std::uint64_t waiting_since_ns = 0;  // 0: it does not wait for room
  std::vector<std::size_t> waits_at;   // edges that have no room for its next message
};
auto HandlerOf(const SessionView& session, std::size_t index) -> HandlerState;

/// Whether the node keeps what it was sent while it waits for a message of another input.
auto AwaitsInput(const SessionView& session, std::size_t index) -> bool;

/// A message that the node has taken to handle it and not acknowledged, on an edge that would deliver it again.
struct InHands {
  std::size_t edge = 0;
  std::uint64_t sequence = 0;
};
auto InHandsOf(const SessionView& session, std::size_t index) -> std::optional<InHands>;

/// For whom the end of the streams waits, as a sentence: the nodes that handle a message, else all that have not ended.
auto WaitingFor(const SessionView& session) -> std::string;

/// Brings the nodes and edges of `report` up to date.
void FillReport(const SessionView& session, Report& report);

/// CPU time that the containers have used so far, by node. Cores in use are told from two of them.
struct CpuSample {
  std::chrono::steady_clock::time_point at;
  std::vector<std::optional<container::CpuCounters>> nodes;
};
auto SampleCpu(const SessionView& session) -> CpuSample;

/// What other commands are answered about a session that runs: its report, and where it stands (of its nodes:
/// session/doing.h).
struct Standing {
  const std::string& manifest;
  const char* phase;
  double age_s = 0;
};
/// `before`: taken some 0.1 s earlier. The fields are listed in docs/ps.md.
auto StatusOf(const SessionView& session, const Report& report, const Standing& standing, const CpuSample& before)
    -> nlohmann::json;

}  // namespace penstock::session
