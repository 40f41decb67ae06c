#include "session/account.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "observe/edge_stats.h"
#include "session/doing.h"
#include "transport/monotonic.h"

namespace penstock::session {
namespace {

void AddLimits(NodeReport& report, const plan::Node& node, const Evidence& evidence) {
  report.remarks = RemarksOn(node, evidence);
  if (!evidence.container || !evidence.container->counters) return;
  const auto& counters = *evidence.container->counters;
  if (counters.memory) report.peak_memory_bytes = counters.memory->peak_bytes;
  if (counters.cpu) report.cpu_throttled_share = counters.cpu->ThrottledShare();
}

void AddMessages(NodeReport& report, const plan::Plan& plan, const plan::Node& node,
                 const std::vector<EdgeReport>& edges) {
  for (const auto edge : node.inputs) {
    const auto& stats = edges[edge].stats;
    report.messages += stats.handled;
    // Of several inputs, the busiest stands for the node.
    report.handler_p50_ns = std::max(report.handler_p50_ns, stats.handler_p50_ns);
    report.handler_p99_ns = std::max(report.handler_p99_ns, stats.handler_p99_ns);
    report.overhead_cpu_p50_ns = std::max(report.overhead_cpu_p50_ns, stats.overhead_cpu_p50_ns);
  }
  for (const auto output : node.outputs) {
    std::uint64_t sent = 0;
    for (const auto edge : plan.outputs[output].edges) sent = std::max(sent, edges[edge].stats.sent);
    report.sent += sent;
  }
}

void AddWaits(NodeReport& report, const plan::Plan& plan, const NodeState& state) {
  for (const auto& [index, times] : state.waits) {
    if (times == 1) continue;  // which was told
    const auto& edge = plan.edges[index];
    report.remarks.push_back(
        fmt::format("node '{}' had to wait {} times, each beyond its process_timeout, for node '{}' to make room on "
                    "edge {}",
                    state.node->id, times, edge.to.node, edge.id));
  }
}

auto NodeReportOf(const SessionView& session, std::size_t index, const std::vector<EdgeReport>& edges) -> NodeReport {
  const auto& state = session.nodes[index];
  const auto& node = *state.node;
  NodeReport report;
  report.id = node.id;
  report.placement = node.placement;
  report.interpreter = state.interpreter;
  report.restarts = state.restarts;
  report.quarantined = state.quarantined;
  if (state.left_out) report.left_out = state.left_out->sentence;
  AddMessages(report, session.plan, node, edges);
  if (state.container) {
    report.container = state.container->id();
    if (state.lease) report.landlock = state.lease->granted().landlock;
    if (node.container) report.memory_limit_bytes = node.container->limits.memory_mb * plan::kMebibyte;
    AddLimits(report, node, EvidenceOf(session, index));
  } else if (state.max_rss_kb) {
    report.peak_memory_bytes = static_cast<std::uint64_t>(*state.max_rss_kb) * 1024U;
  }
  AddWaits(report, session.plan, state);
  return report;
}

auto CountersOf(NodeState& state) -> std::optional<container::Counters> {
  return state.watch ? state.watch->Read().counters : std::nullopt;
}

// A message whose handler runs; of several edges, the one that has been at it longest.
struct Handling {
  std::size_t edge = 0;
  std::uint64_t since_ns = 0;
  std::uint64_t sequence = 0;
  std::uint64_t blocked_base_ns = 0;
};

auto HandlingAt(const SessionView& session, const plan::Node& node) -> std::optional<Handling> {
  std::optional<Handling> oldest;
  for (const auto edge : node.inputs) {
    const auto& block = session.wiring.edge(edge);
    const auto base = block->handling_blocked_base_ns.load(std::memory_order_acquire);  // before the time
    const auto since = block->handling_since_ns.load(std::memory_order_acquire);
    if (since == 0 || (oldest && since >= oldest->since_ns)) continue;
    oldest = Handling{.edge = edge,
                      .since_ns = since,
                      .sequence = block->handling_sequence.load(std::memory_order_relaxed),
                      .blocked_base_ns = base};
  }
  return oldest;
}

auto InFlightAt(const SessionView& session, const plan::Node& node) -> std::optional<InFlight> {
  const auto now = static_cast<std::uint64_t>(transport::MonotonicNow());
  const auto handling = HandlingAt(session, node);
  if (!handling || handling->since_ns > now) return std::nullopt;
  return InFlight{.edge = session.plan.edges[handling->edge].id,
                  .sequence = handling->sequence,
                  .handling_ns = now - handling->since_ns};
}

// What a node uses now. Of what cannot be seen (outside a container, or on this host) nothing is said: null.
void AddUsage(const NodeState& state, const std::optional<container::Counters>& counters,
              const std::optional<double>& cpu_cores, nlohmann::json& status) {
  status["memory_bytes"] = nullptr;
  status["cpu_cores"] = nullptr;
  if (cpu_cores) status["cpu_cores"] = *cpu_cores;
  status["cpu_limit_cores"] = nullptr;
  if (state.node->container) status["cpu_limit_cores"] = state.node->container->limits.cpu_cores;
  if (!state.exited && counters && counters->memory) status["memory_bytes"] = counters->memory->usage_bytes;
}

auto CoresInUse(const std::optional<container::CpuCounters>& before, const std::optional<container::Counters>& now,
                std::chrono::nanoseconds between) -> std::optional<double> {
  if (!before || !now || !now->cpu) return std::nullopt;
  return now->cpu->CoresSince(*before, between);
}

auto QueuedAt(const plan::Node& node, const std::vector<EdgeReport>& edges) -> std::uint64_t {
  std::uint64_t queued = 0;
  for (const auto edge : node.inputs) queued += edges[edge].stats.queued;
  return queued;
}

}  // namespace

auto EvidenceOf(const SessionView& session, std::size_t index) -> Evidence {
  auto& state = session.nodes[index];
  Evidence evidence;
  const bool running = session.started && !state.replacing;
  evidence.phase = state.finished ? Phase::kFinished : running ? Phase::kRunning : Phase::kStarting;
  if (state.worker) evidence.since_start = std::chrono::steady_clock::now() - state.spawned;
  // Until its ports are open the account is its predecessor's.
  if (running) evidence.in_flight = InFlightAt(session, *state.node);
  if (state.watch) evidence.container = state.watch->Read();
  evidence.host = container::ReadHostMemory();
  evidence.host.oom_kills -= std::min(session.oom_kills_before, evidence.host.oom_kills);
  evidence.stack = state.dump.text();
  evidence.host_cores = std::thread::hardware_concurrency();
  return evidence;
}

auto HandlerOf(const SessionView& session, std::size_t index) -> HandlerState {
  const auto& node = *session.nodes[index].node;
  HandlerState handler{.now_ns = static_cast<std::uint64_t>(transport::MonotonicNow()), .waits_at = {}};
  const auto handling = HandlingAt(session, node);
  if (handling) {
    handler.edge = handling->edge;
    handler.since_ns = handling->since_ns;
    handler.sequence = handling->sequence;
  }
  std::uint64_t blocked = 0;
  for (const auto output : node.outputs) {
    for (const auto edge : session.plan.outputs[output].edges) {
      const auto& block = session.wiring.edge(edge);
      const auto since = block->waiting_since_ns.load(std::memory_order_acquire);
      blocked += block->blocked_ns.load(std::memory_order_relaxed);  // after it
      if (since == 0) continue;
      handler.waits_at.push_back(edge);
      handler.waiting_since_ns = handler.waiting_since_ns == 0 ? since : std::min(handler.waiting_since_ns, since);
    }
  }
  if (handling) handler.blocked_ns = blocked - std::min(blocked, handling->blocked_base_ns);
  return handler;
}

auto AwaitsInput(const SessionView& session, std::size_t index) -> bool {
  return std::ranges::any_of(session.nodes[index].node->inputs, [&](std::size_t edge) {
    return session.wiring.edge(edge)->awaits.load(std::memory_order_acquire) != transport::Awaits::kNothing;
  });
}

auto InHandsOf(const SessionView& session, std::size_t index) -> std::optional<InHands> {
  for (const auto edge : session.nodes[index].node->inputs) {
    const auto& block = session.wiring.edge(edge);
    if (session.plan.edges[edge].delivery != manifest::Delivery::kAtLeastOnce) continue;
    if (block->handling_sequence.load(std::memory_order_acquire) == transport::kHandlesNothing) continue;
    const auto acked = block->acked.load(std::memory_order_acquire);
    if (acked < block->taken.load(std::memory_order_acquire)) return InHands{.edge = edge, .sequence = acked};
  }
  return std::nullopt;
}

auto WaitingFor(const SessionView& session) -> std::string {
  std::vector<std::string> busy;
  std::vector<std::string> others;
  for (const auto& state : session.nodes) {
    if (state.replacing)
      busy.push_back(
          fmt::format("node '{}', which is being {}", state.node->id, state.left_out ? "left out" : "restarted"));
    if (state.exited || state.finished || state.replacing) continue;
    others.push_back(fmt::format("node '{}'", state.node->id));
    const auto message = InFlightAt(session, *state.node);
    if (!message) continue;
    busy.push_back(fmt::format("node '{}', which has been handling message {} of edge {} for {:.1f} s", state.node->id,
                               message->sequence, message->edge, static_cast<double>(message->handling_ns) / 1e9));
  }
  return fmt::format("still waiting for {}; a second Ctrl-C, or 'penstock stop --now', ends everything at once",
                     fmt::join(busy.empty() ? others : busy, " and "));
}

void FillReport(const SessionView& session, Report& report) {
  report.nodes.clear();
  report.edges.clear();
  for (std::size_t i = 0; i < session.plan.edges.size(); ++i) {
    const auto& edge = session.plan.edges[i];
    report.edges.push_back({.id = edge.id,
                            .policy = edge.policy,
                            .consumer = edge.to.node,
                            .joins = session.nodes[session.wiring.consumer_of(i)].node->join.has_value(),
                            .stats = observe::ReadEdgeStats(session.wiring.edge(i))});
  }
  for (std::size_t i = 0; i < session.nodes.size(); ++i) report.nodes.push_back(NodeReportOf(session, i, report.edges));
}

auto SampleCpu(const SessionView& session) -> CpuSample {
  CpuSample sample{.at = std::chrono::steady_clock::now(), .nodes = {}};
  for (auto& state : session.nodes) {
    auto& cpu = sample.nodes.emplace_back();
    if (const auto counters = CountersOf(state)) cpu = counters->cpu;
  }
  return sample;
}

auto StatusOf(const SessionView& session, const Report& report, const Standing& standing, const CpuSample& before)
    -> nlohmann::json {
  auto status = ToJson(report);
  for (std::size_t i = 0; i < report.nodes.size(); ++i) {
    auto& node = status["nodes"][i];
    auto& state = session.nodes[i];
    const auto counters = CountersOf(state);
    const auto between = std::chrono::steady_clock::now() - before.at;
    AddUsage(state, counters, CoresInUse(before.nodes[i], counters, between), node);
    node["queued"] = QueuedAt(*session.nodes[i].node, report.edges);
    node.update(DoingOf(session, i));
  }
  for (std::size_t i = 0; i < report.edges.size(); ++i) {
    status["edges"][i]["queued"] = report.edges[i].stats.queued;
    status["edges"][i]["depth"] = session.plan.edges[i].depth;
  }
  status["type"] = "status";
  status["v"] = 1;
  status["pid"] = ::getpid();
  status["manifest"] = standing.manifest;
  status["phase"] = standing.phase;
  status["age_s"] = standing.age_s;
  return status;
}

}  // namespace penstock::session
