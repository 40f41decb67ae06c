#include "cli/summary.h"

#include <fmt/format.h>

#include "base/count.h"
#include "cli/table.h"

namespace penstock::cli {
namespace {

auto Duration(std::uint64_t nanoseconds) -> std::string {
  const auto value = static_cast<double>(nanoseconds);
  if (nanoseconds == 0) return "-";
  if (value < 1e6) return fmt::format("{:.0f} µs", value / 1e3);
  if (value < 1e9) return fmt::format("{:.1f} ms", value / 1e6);
  return fmt::format("{:.1f} s", value / 1e9);
}

auto Memory(const session::NodeReport& node) -> std::string {
  constexpr double kMebibyte = 1024 * 1024;
  if (!node.peak_memory_bytes) return "-";
  const auto peak = static_cast<double>(*node.peak_memory_bytes) / kMebibyte;
  if (!node.memory_limit_bytes) return fmt::format("{:.0f} MB", peak);
  return fmt::format("{:.0f} of {:.0f} MB", peak, static_cast<double>(*node.memory_limit_bytes) / kMebibyte);
}

auto RenderRestarts(const session::Report& report) -> std::string {
  std::string text;
  for (const auto& node : report.nodes) {
    if (!node.left_out.empty()) text += fmt::format("\nnode '{}' was left out: {}\n", node.id, node.left_out);
  }
  for (const auto& node : report.nodes) {
    if (node.restarts == 0) continue;
    text += fmt::format("\nnode '{}' was restarted {}\n", node.id,
                        node.restarts == 1 ? "once" : base::Count(node.restarts, "time"));
    if (node.quarantined != 0)
      text += fmt::format("{} to it in quarantine: see 'penstock quarantine list'\n",
                          base::Count(node.quarantined, "message"));
  }
  for (const auto& edge : report.edges) {
    if (edge.stats.redelivered == 0 && edge.stats.suppressed == 0) continue;
    text += fmt::format("edge {}: {} delivered again, {} not sent twice\n", edge.id, edge.stats.redelivered,
                        edge.stats.suppressed);
  }
  for (const auto& edge : report.edges) {
    if (edge.stats.in_flight == 0) continue;
    text += fmt::format("edge {}: {} sent but not delivered\n", edge.id, edge.stats.in_flight);
  }
  return text;
}

auto RenderUnmatched(const session::Report& report) -> std::string {
  std::string text;
  for (const auto& edge : report.edges) {
    if (!edge.joins || edge.unmatched() == 0) continue;
    text +=
        fmt::format("edge {}: {} of {} found no partners to be joined with{}\n", edge.id, edge.unmatched(),
                    base::Count(edge.stats.delivered, "message"), report.failure ? " before the session failed" : "");
  }
  return text.empty() ? text : '\n' + text;
}

}  // namespace

auto RenderSummary(const session::Report& report) -> std::string {
  std::vector<Row> nodes{{"node", "where", "interpreter", "handled", "p50", "p99", "sent", "peak memory"}};
  for (const auto& node : report.nodes) {
    nodes.push_back({node.id, std::string(plan::ToString(node.placement)), node.interpreter,
                     std::to_string(node.messages), Duration(node.handler_p50_ns), Duration(node.handler_p99_ns),
                     std::to_string(node.sent), Memory(node)});
  }
  std::vector<Row> edges{{"edge", "policy", "sent", "delivered", "lost", "blocked"}};
  for (const auto& edge : report.edges) {
    edges.push_back({edge.id, std::string(manifest::ToString(edge.policy)), std::to_string(edge.stats.sent),
                     std::to_string(edge.stats.delivered), std::to_string(edge.stats.lost),
                     Duration(edge.stats.blocked_ns)});
  }
  auto text = RenderTable(nodes);
  if (edges.size() > 1) text += '\n' + RenderTable(edges);
  const auto has_failed = [&](const session::NodeReport& node) {
    return report.failure && report.failure->node == node.id;  // which has told it
  };
  for (const auto& node : report.nodes) {
    if (has_failed(node)) continue;
    for (const auto& remark : node.remarks) text += fmt::format("\n{}\n", remark);
  }
  text += RenderUnmatched(report);
  text += RenderRestarts(report);
  const auto& timeline = report.timeline;
  if (timeline.started > 0) {
    text += fmt::format("\nstarted in {:.2f} s, ran {:.2f} s\n", timeline.started, timeline.ended - timeline.started);
  }
  if (report.log.kept > 0) text += fmt::format("{} kept", base::Count(report.log.kept, "log line"));
  if (report.log.removed > 0)
    text +=
        fmt::format(", of which the first {} removed again", base::Count(report.log.removed, "line was", "lines were"));
  if (report.not_shown > 0) text += fmt::format(", {} not shown above", report.not_shown);
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

auto RenderLog(const session::Report& report) -> std::string {
  const auto& log = report.log;
  std::string text;
  for (const auto& [source, lines] : log.dropped) {
    text += fmt::format("penstock: warning: {} of {} of {} {} not in the log{}\n", base::Count(lines, "line"),
                        observe::ToString(source.second),
                        source.first.empty() ? "the runtime" : fmt::format("node '{}'", source.first),
                        lines == 1 ? "is" : "are", log.problem.empty() ? "" : fmt::format(": {}", log.problem));
  }
  if (!log.folder.empty())
    text += fmt::format("log: {} (shown by: penstock logs {})\n", log.folder.string(), report.session);
  return text;
}

}  // namespace penstock::cli
