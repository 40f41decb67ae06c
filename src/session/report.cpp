#include "session/report.h"

#include <nlohmann/json.hpp>

namespace penstock::session {
namespace {

using nlohmann::json;

template <class T>
auto OrNull(const std::optional<T>& value) -> json {
  return value ? json(*value) : json(nullptr);
}

auto ToJson(const EdgeReport& edge) -> json {
  const auto& stats = edge.stats;
  const auto if_joined = [&](std::uint64_t count) { return edge.joins ? json(count) : json(nullptr); };
  return {{"id", edge.id},
          {"policy", manifest::ToString(edge.policy)},
          {"sent", stats.sent},
          {"delivered", stats.delivered},
          {"acknowledged", stats.acked},
          {"lost", stats.lost},
          {"in_flight", stats.in_flight},
          {"redelivered", stats.redelivered},
          {"suppressed", stats.suppressed},
          {"joined", if_joined(stats.joined)},
          {"unmatched", if_joined(edge.unmatched())},
          {"blocked_ns", stats.blocked_ns},
          {"queue_wait_p50_ns", stats.queue_wait_p50_ns},
          {"queue_wait_p99_ns", stats.queue_wait_p99_ns},
          {"handler_p50_ns", stats.handler_p50_ns},
          {"handler_p99_ns", stats.handler_p99_ns},
          {"overhead_cpu_p50_ns", stats.overhead_cpu_p50_ns},
          {"overhead_cpu_p99_ns", stats.overhead_cpu_p99_ns}};
}

auto ToJson(const NodeReport& node) -> json {
  return {{"id", node.id},
          {"placement", plan::ToString(node.placement)},
          {"interpreter", node.interpreter},
          {"container", node.container},
          {"landlock", node.landlock},
          {"restarts", node.restarts},
          {"quarantined", node.quarantined},
          {"left_out", node.left_out.empty() ? json(nullptr) : json(node.left_out)},
          {"messages", node.messages},
          {"sent", node.sent},
          {"handler_p50_ns", node.handler_p50_ns},
          {"handler_p99_ns", node.handler_p99_ns},
          {"overhead_cpu_p50_ns", node.overhead_cpu_p50_ns},
          {"peak_memory_bytes", OrNull(node.peak_memory_bytes)},
          {"memory_limit_bytes", OrNull(node.memory_limit_bytes)},
          {"cpu_throttled_share", OrNull(node.cpu_throttled_share)},
          {"remarks", node.remarks}};
}

auto ToJson(const observe::LogAccount& log) -> json {
  json dropped = json::array();
  for (const auto& [source, lines] : log.dropped)
    dropped.push_back({{"node", source.first}, {"stream", observe::ToString(source.second)}, {"lines", lines}});
  return {{"folder", log.folder.empty() ? json(nullptr) : json(log.folder.string())},
          {"kept", log.kept},
          {"removed", log.removed},
          {"dropped", log.dropped_lines()},
          {"dropped_by_source", dropped},
          {"problem", log.problem.empty() ? json(nullptr) : json(log.problem)}};
}

}  // namespace

auto ToJson(const Report& report) -> json {
  json result{{"version", 1},
              {"session", report.session},
              {"pipeline", report.pipeline},
              {"interrupted", report.interrupted},
              {"failure", nullptr},
              {"timeline_s",
               {{"environments", report.timeline.environments},
                {"agents", report.timeline.agents},
                {"hellos", report.timeline.hellos},
                {"started", report.timeline.started},
                {"ended", report.timeline.ended},
                {"engine_requests", report.timeline.engine_requests}}},
              {"nodes", json::array()},
              {"edges", json::array()}};
  if (report.failure) {
    result["failure"] = {{"node", report.failure->node},
                         {"sentence", report.failure->sentence},
                         {"traceback", report.failure->traceback},
                         {"environment", report.failure->environment}};
  }
  for (const auto& node : report.nodes) result["nodes"].push_back(ToJson(node));
  for (const auto& edge : report.edges) result["edges"].push_back(ToJson(edge));
  result["log"] = ToJson(report.log);
  result["log"]["not_shown"] = report.not_shown;
  return result;
}

}  // namespace penstock::session
