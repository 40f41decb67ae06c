// What boxes and edges of a picture say, and the picture in Mermaid's language.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/graph.h"

namespace penstock::cli {
namespace {

auto Escaped(std::string_view text) -> std::string {
  std::string escaped;
  for (const char c : text) {
    if (c == '"') {
      escaped += "#quot;";
    } else if (c == '<') {
      escaped += "#lt;";
    } else if (c == '>') {
      escaped += "#gt;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

auto Escaped(const std::vector<std::string>& lines) -> std::string {
  std::vector<std::string> escaped;
  for (const auto& line : lines) escaped.push_back(Escaped(line));
  return fmt::format("{}", fmt::join(escaped, "<br/>"));
}

auto IndexOf(const plan::Plan& plan, const std::string& id) -> std::size_t {
  std::size_t index = 0;
  while (plan.nodes[index].id != id) ++index;
  return index;
}

}  // namespace

auto BoxLines(const plan::Node& node) -> std::vector<std::string> {
  std::string where(plan::ToString(node.placement));
  if (node.environment && !node.environment->python_version.empty())
    where += fmt::format(", Python {}", node.environment->python_version);
  std::vector<std::string> lines{node.id, node.node_type, where};
  if (node.container) {
    lines.push_back(
        fmt::format("{} MB, {:g} cores", node.container->limits.memory_mb, node.container->limits.cpu_cores));
  }
  return lines;
}

auto EdgeLabel(const plan::Edge& edge) -> std::string {
  std::string label;
  if (edge.from.named || edge.to.named) label = fmt::format("{} → {}, ", edge.from.port, edge.to.port);
  return fmt::format("{}{} {}", label, manifest::ToString(edge.policy), edge.depth);
}

auto ToMermaid(const plan::Plan& plan) -> std::string {
  std::string text = "flowchart LR\n";
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const auto& node = plan.nodes[i];
    text += fmt::format("  n{}[\"{}\"]:::{}\n", i, Escaped(BoxLines(node)), plan::ToString(node.placement));
  }
  for (const auto& edge : plan.edges) {
    text += fmt::format("  n{} {}|\"{}\"| n{}\n", IndexOf(plan, edge.from.node),
                        manifest::MayDrop(edge.policy) ? "-.->" : "-->", Escaped(EdgeLabel(edge)),
                        IndexOf(plan, edge.to.node));
  }
  return text +
         "  classDef container fill:#dbeafe,stroke:#1d4ed8,color:#111\n"
         "  classDef process fill:#dcfce7,stroke:#15803d,color:#111\n"
         "  classDef native fill:#f3f4f6,stroke:#4b5563,color:#111\n";
}

}  // namespace penstock::cli
