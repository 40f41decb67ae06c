// What native nodes there are, and what one takes.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/colour.h"
#include "cli/json_output.h"
#include "cli/native_nodes.h"
#include "cli/paragraph.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "manifest/suggest.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

auto PortsText(const std::vector<NativePort>& ports) -> std::string {
  std::vector<std::string> texts;
  for (const auto& port : ports) texts.push_back(port.name + ": " + port.type);
  return texts.empty() ? "-" : fmt::format("{}", fmt::join(texts, ", "));
}

auto PortsJson(const std::vector<NativePort>& ports) -> json {
  auto list = json::array();
  for (const auto& port : ports) list.push_back({{"name", port.name}, {"type", port.type}});
  return list;
}

auto ToJson(const NativeNode& node) -> json {
  auto params = json::array();
  for (const auto& param : node.params) {
    json item{{"name", param.name}, {"type", param.type}, {"what", param.what}, {"otherwise", nullptr}};
    if (param.otherwise) item["otherwise"] = *param.otherwise;
    params.push_back(std::move(item));
  }
  return {{"name", node.name},
          {"summary", node.summary},
          {"inputs", PortsJson(node.inputs)},
          {"outputs", PortsJson(node.outputs)},
          {"params", std::move(params)}};
}

void PrintFacts(const std::vector<NativeNode>& nodes) {
  auto list = json::array();
  for (const auto& node : nodes) list.push_back(ToJson(node));
  PrintJson({{"version", 1}, {"nodes", std::move(list)}});
}

void PrintList(const std::vector<NativeNode>& nodes) {
  std::vector<Row> rows{{"node", "inputs", "outputs", "what it does"}};
  for (const auto& node : nodes)
    rows.push_back({node.name, PortsText(node.inputs), PortsText(node.outputs), node.summary});
  fmt::print("{}", RenderTable(rows, OutputWidth()));
}

constexpr std::size_t kIndent = 6;

void PrintNode(const NativeNode& node) {
  const bool coloured = HasColours(STDOUT_FILENO);
  const auto width = OutputWidth();
  fmt::print("{}", Paragraph(node.name + ": " + node.summary, 0, width));
  fmt::print("\ninputs   {}\noutputs  {}\n", PortsText(node.inputs), PortsText(node.outputs));
  fmt::print("\nparams{}\n", node.params.empty() ? "   none" : "");
  for (const auto& param : node.params) {
    fmt::print("  {}  {}\n", Paint(coloured, Colour::kBold, param.name), param.type);
    fmt::print("{}", Paragraph(param.what, kIndent, width));
    fmt::print("{}", Paragraph(param.otherwise ? "otherwise: " + *param.otherwise : "must be given", kIndent, width));
  }
}

}  // namespace

auto Nodes(const NodesOptions& options) -> int {
  const auto& all = AskNativeNodes();
  for (const auto& complaint : all.complaints) fmt::print(stderr, "penstock: warning: {}\n", complaint);
  if (options.name.empty()) {
    options.json ? PrintFacts(all.nodes) : PrintList(all.nodes);
    return all.nodes.empty() ? kEnvironment : kDone;
  }
  const auto* node = all.Find(options.name);
  if (node == nullptr) {
    const auto names = all.Names();
    fmt::print(stderr, "penstock: error: there is no native node '{}'{}\n", options.name,
               manifest::Suggest(options.name, std::vector<std::string_view>(names.begin(), names.end())));
    return kUsage;
  }
  options.json ? PrintFacts({*node}) : PrintNode(*node);
  return kDone;
}

}  // namespace penstock::cli
