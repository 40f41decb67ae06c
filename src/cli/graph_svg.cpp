#include <fmt/format.h>

#include <algorithm>

#include "cli/graph.h"
#include "cli/graph_layout.h"
#include "cli/table.h"

namespace penstock::cli {
namespace {

// Of a monospaced font of 12 pixels, which is the one whose width can be known here.
constexpr double kCharacter = 7.3;
constexpr double kLineHeight = 16;
constexpr double kPadding = 10;
constexpr double kNarrowestGap = 60;
constexpr double kLabelRoom = 24;  // beside a label, for its line's bends

auto Escaped(std::string_view text) -> std::string {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

auto WidthOf(std::string_view text) -> double { return static_cast<double>(DisplayWidth(text)) * kCharacter; }

auto LayoutOf(const plan::Plan& plan) -> Layout {
  Layout layout;
  for (const auto& node : plan.nodes) {
    const auto lines = BoxLines(node);
    double width = 0;
    for (const auto& line : lines) width = std::max(width, WidthOf(line));
    layout.boxes.push_back({.width = width + 2 * kPadding,
                            .height = static_cast<double>(lines.size()) * kLineHeight + 2 * kPadding,
                            .at = {}});
  }
  const auto index_of = [&](const std::string& id) {
    return static_cast<std::size_t>(std::ranges::find(plan.nodes, id, &plan::Node::id) - plan.nodes.begin());
  };
  layout.gap = kNarrowestGap;
  for (const auto& edge : plan.edges) {
    layout.lines.push_back(
        {.from = index_of(edge.from.node), .to = index_of(edge.to.node), .backwards = false, .points = {}});
    layout.gap = std::max(layout.gap, WidthOf(EdgeLabel(edge)) + kLabelRoom);
  }
  Arrange(layout);
  return layout;
}

auto DrawBox(const plan::Node& node, const Box& box) -> std::string {
  auto text = fmt::format(R"(<g class="{}"><rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="6"/>)",
                          plan::ToString(node.placement), box.at.x, box.at.y, box.width, box.height);
  double y = box.at.y + kPadding + 12;
  const char* emphasis = R"( class="id")";
  for (const auto& line : BoxLines(node)) {
    text += fmt::format(R"(<text x="{:.1f}" y="{:.1f}"{}>{}</text>)", box.at.x + kPadding, y, emphasis, Escaped(line));
    y += kLineHeight;
    emphasis = "";
  }
  return text + "</g>\n";
}

// Straight through columns, bent between them.
auto PathOf(const std::vector<Point>& points) -> std::string {
  auto path = fmt::format("M{:.1f} {:.1f}", points.front().x, points.front().y);
  for (std::size_t i = 1; i < points.size(); ++i) {
    const auto& from = points[i - 1];
    const auto& to = points[i];
    const auto middle = (from.x + to.x) / 2;
    path += i % 2 == 1
                ? fmt::format(" C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", middle, from.y, middle, to.y, to.x, to.y)
                : fmt::format(" L{:.1f} {:.1f}", to.x, to.y);
  }
  return path;
}

auto DrawLine(const plan::Edge& edge, const Line& line) -> std::string {
  const auto& begin = line.points[line.points.size() - 2];
  const auto& end = line.points.back();
  const Point label{.x = (begin.x + end.x) / 2, .y = (begin.y + end.y) / 2 - 5};
  return fmt::format(R"svg(<path d="{}"{} marker-end="url(#head)"><title>{}</title></path>)svg", PathOf(line.points),
                     manifest::MayDrop(edge.policy) ? R"( class="drops")" : "", Escaped(edge.id)) +
         fmt::format(R"(<text class="label" x="{:.1f}" y="{:.1f}">{}</text>)", label.x, label.y,
                     Escaped(EdgeLabel(edge))) +
         "\n";
}

constexpr std::string_view kStyle =
    "<style>"
    "svg{background:#fff}"
    "text{font:12px monospace;fill:#111}.id{font-weight:bold}"
    ".label{text-anchor:middle;font-size:11px;fill:#4b5563;paint-order:stroke;stroke:#fff;stroke-width:4px}"
    "rect{stroke-width:1.5}.container rect{fill:#dbeafe;stroke:#1d4ed8}.process rect{fill:#dcfce7;stroke:#15803d}"
    ".native rect{fill:#f3f4f6;stroke:#4b5563}"
    "path{fill:none;stroke:#4b5563;stroke-width:1.5}.drops{stroke-dasharray:5 4}marker path{fill:#4b5563}"
    "</style>\n"
    R"(<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">)"
    R"(<path d="M0 0L8 4L0 8z"/></marker></defs>)"
    "\n";

}  // namespace

auto ToSvg(const plan::Plan& plan) -> std::string {
  const auto layout = LayoutOf(plan);
  auto text = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}">)"
      "\n<title>{2}</title>\n{3}",
      layout.width, layout.height, Escaped(plan.name), kStyle);
  for (std::size_t i = 0; i < plan.edges.size(); ++i) text += DrawLine(plan.edges[i], layout.lines[i]);
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) text += DrawBox(plan.nodes[i], layout.boxes[i]);
  return text + "</svg>\n";
}

}  // namespace penstock::cli
