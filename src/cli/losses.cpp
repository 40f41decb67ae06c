#include "cli/losses.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/count.h"

namespace penstock::cli {
namespace {

auto Messages(std::uint64_t count) -> std::string { return base::Count(count, "message"); }

auto WasLeftOut(const session::Report& report, const std::string& id) -> bool {
  return std::ranges::any_of(report.nodes,
                             [&](const session::NodeReport& node) { return node.id == id && !node.left_out.empty(); });
}

}  // namespace

auto Losses(const session::Report& report) -> std::vector<std::string> {
  std::vector<std::string> losses;
  for (const auto& edge : report.edges) {
    const auto& stats = edge.stats;
    if (stats.lost != 0)
      losses.push_back(
          fmt::format("edge {} ({}) lost {} of {}", edge.id, ToString(edge.policy), stats.lost, Messages(stats.sent)));
    if (stats.in_flight != 0)
      losses.push_back(
          fmt::format("edge {} did not deliver {} of {}: {}", edge.id, stats.in_flight, Messages(stats.sent),
                      WasLeftOut(report, edge.consumer) ? "its consumer was left out" : "they were under way"));
    if (stats.delivered + stats.lost > stats.acked)
      losses.push_back(
          fmt::format("edge {} delivered {} that node '{}' has not handled to the end: it had them in hands "
                      "when it ended",
                      edge.id, Messages(stats.delivered + stats.lost - stats.acked), edge.consumer));
    if (!observe::AddsUp(stats))
      losses.push_back(
          fmt::format("the account of edge {} does not add up: {} sent, {} delivered, {} lost, {} under way", edge.id,
                      stats.sent, stats.delivered, stats.lost, stats.in_flight));
  }
  return losses;
}

}  // namespace penstock::cli
