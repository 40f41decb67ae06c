#include "cli/native_nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/command.h"
#include "base/paths.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

auto Ports(const json& list) -> std::vector<NativePort> {
  std::vector<NativePort> ports;
  for (const auto& port : list) ports.push_back({.name = port.at("name"), .type = port.at("type")});
  return ports;
}

auto Node(const json& value) -> NativeNode {
  NativeNode node{.name = value.at("name"),
                  .summary = value.at("summary"),
                  .inputs = Ports(value.at("inputs")),
                  .outputs = Ports(value.at("outputs")),
                  .params = {}};
  for (const auto& param : value.at("params")) {
    const auto& otherwise = param.at("otherwise");
    node.params.push_back(
        {.name = param.at("name"),
         .type = param.at("type"),
         .what = param.at("what"),
         .otherwise = otherwise.is_null() ? std::nullopt : std::optional(otherwise.get<std::string>())});
  }
  return node;
}

// Of the worker's output: what is no description is a complaint.
void Take(NativeNodes& all, std::string_view line) {
  const auto value = json::parse(line, nullptr, false);
  if (value.is_object()) {
    all.nodes.push_back(Node(value));
  } else {
    all.complaints.emplace_back(line);
  }
}

auto Ask() -> NativeNodes {
  NativeNodes all;
  const auto home = base::InstallDirectory();
  if (!home) {
    all.complaints.push_back(home.error().ToString());
    return all;
  }
  const auto status = base::RunCommand(
      {*home / "bin" / "penstock-native", "--describe"}, [&](std::string_view line) { Take(all, line); },
      base::Deadline::In(std::chrono::seconds(10)));
  if (!status) {
    all.complaints.push_back(status.error().ToString());
  } else if (*status != 0 && all.complaints.empty()) {
    all.complaints.push_back(fmt::format("penstock-native ended with status {}", *status));
  }
  std::ranges::sort(all.nodes, {}, &NativeNode::name);
  return all;
}

}  // namespace

auto NativeNodes::Find(const std::string& name) const -> const NativeNode* {
  const auto found = std::ranges::find(nodes, name, &NativeNode::name);
  return found == nodes.end() ? nullptr : &*found;
}

auto NativeNodes::Names() const -> std::vector<std::string> {
  std::vector<std::string> names;
  for (const auto& node : nodes) names.push_back(node.name);
  return names;
}

auto AskNativeNodes() -> const NativeNodes& {
  static const auto kNodes = Ask();
  return kNodes;
}

}  // namespace penstock::cli
