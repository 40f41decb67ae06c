#include "session/account.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "observe/edge_stats.h"
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

auto NodeReportOf(const SessionView& session, std::size_t index, const std::vector<EdgeReport>& edges) -> NodeReport {
  const auto& state = session.nodes[index];
  const auto& node = *state.node;
  NodeReport report;
  report.id = node.id;
  report.placement = node.placement;
  report.interpreter = state.interpreter;
  AddMessages(report, session.plan, node, edges);
  if (state.container) {
    report.container = state.container->id();
    if (state.lease) report.landlock = state.lease->granted().landlock;
    if (node.container) report.memory_limit_bytes = node.container->limits.memory_mb * plan::kMebibyte;
    AddLimits(report, node, EvidenceOf(session, index));
  } else if (state.max_rss_kb) {
    report.peak_memory_bytes = static_cast<std::uint64_t>(*state.max_rss_kb) * 1024U;
  }
  return report;
}

}  // namespace

auto EvidenceOf(const SessionView& session, std::size_t index) -> Evidence {
  auto& state = session.nodes[index];
  Evidence evidence;
  evidence.phase = state.finished ? Phase::kFinished : session.started ? Phase::kRunning : Phase::kStarting;
  if (state.worker) evidence.since_start = std::chrono::steady_clock::now() - state.spawned;
  const auto now = static_cast<std::uint64_t>(transport::MonotonicNow());
  for (const auto edge : state.node->inputs) {
    const auto stats = observe::ReadEdgeStats(session.wiring.edge(edge));
    if (stats.handling_since_ns == 0 || stats.handling_since_ns > now) continue;
    evidence.in_flight = InFlight{.edge = session.plan.edges[edge].id,
                                  .sequence = stats.handling_sequence,
                                  .handling_ns = now - stats.handling_since_ns};
  }
  if (state.watch) evidence.container = state.watch->Read();
  evidence.host = container::ReadHostMemory();
  evidence.host.oom_kills -= std::min(session.oom_kills_before, evidence.host.oom_kills);
  evidence.stack = state.dump.text();
  evidence.host_cores = std::thread::hardware_concurrency();
  return evidence;
}

void FillReport(const SessionView& session, Report& report) {
  report.nodes.clear();
  report.edges.clear();
  for (std::size_t i = 0; i < session.plan.edges.size(); ++i) {
    const auto& edge = session.plan.edges[i];
    report.edges.push_back(
        {.id = edge.id, .policy = edge.policy, .stats = observe::ReadEdgeStats(session.wiring.edge(i))});
  }
  for (std::size_t i = 0; i < session.nodes.size(); ++i) report.nodes.push_back(NodeReportOf(session, i, report.edges));
}

auto StatusOf(const Report& report, const Standing& standing) -> nlohmann::json {
  auto status = ToJson(report);
  status["type"] = "status";
  status["v"] = 1;
  status["pid"] = ::getpid();
  status["manifest"] = standing.manifest;
  status["phase"] = standing.phase;
  status["age_s"] = standing.age_s;
  return status;
}

}  // namespace penstock::session
