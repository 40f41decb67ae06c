#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/load.h"
#include "cli/quarantine.h"
#include "cli/run.h"
#include "manifest/load.h"
#include "observe/quarantine.h"

namespace penstock::cli {
namespace {

using base::ErrorCode;
using nlohmann::json;

// An id that the node does not have.
auto Beside(const std::string& node, std::string id) -> std::string {
  while (id == node) id += '_';
  return id;
}

auto FindById(const json& nodes, const std::string& id) -> const json* {
  const auto found = std::ranges::find_if(nodes, [&](const json& node) { return node.value("id", "") == id; });
  return found == nodes.end() ? nullptr : &*found;
}

// The pipeline of a source of the message, the node, and a sink of what it sends.
auto ReplayOf(const json& manifest, const observe::Quarantined& entry, const std::filesystem::path& message)
    -> base::Expected<json> {
  const auto* node = FindById(manifest.at("nodes"), entry.node);
  if (node == nullptr) {
    return base::Fail(ErrorCode::kNotFound, "the manifest '{}' has no node '{}' any more", entry.manifest, entry.node);
  }
  if (node->contains("join")) {
    return base::Fail(ErrorCode::kInvalidArgument,
                      "node '{}' joins its inputs, so it cannot be given the message alone: 'penstock quarantine show' "
                      "has its file",
                      entry.node);
  }
  auto alone = *node;
  for (const auto* key : {"retry", "on_failure"}) alone.erase(key);
  const auto source = Beside(entry.node, "quarantine");
  const auto sink = Beside(entry.node, "result");
  json connections = json::array();
  std::vector<std::string> outputs;
  for (const auto& connection : manifest.value("connections", json::array())) {
    if (connection.value("to", "") == entry.node && connection.value("to_input", "in") == entry.port &&
        connections.empty()) {
      json in{{"from", source}, {"to", entry.node}};
      for (const auto* key : {"to_input", "max_message_bytes"}) {
        if (connection.contains(key)) in[key] = connection.at(key);
      }
      connections.push_back(std::move(in));
    }
    if (connection.value("from", "") == entry.node) outputs.push_back(connection.value("from_output", ""));
  }
  if (connections.empty()) {
    return base::Fail(ErrorCode::kNotFound,
                      "in the manifest '{}' nothing is connected to input '{}' of node '{}' any more", entry.manifest,
                      entry.port, entry.node);
  }
  json nodes{{{"id", source}, {"node_type", "message.source"}, {"params", {{"path", message.string()}}}},
             std::move(alone)};
  std::ranges::sort(outputs);
  outputs.erase(std::ranges::unique(outputs).begin(), outputs.end());
  for (const auto& output : outputs) {
    json out{{"from", entry.node}, {"to", sink}};
    if (!output.empty()) out["from_output"] = output;
    connections.push_back(std::move(out));
  }
  if (!outputs.empty()) nodes.push_back({{"id", sink}, {"node_type", "json.sink"}});
  json replay{{"version", "v1"},
              {"metadata", {{"name", entry.pipeline}}},
              {"nodes", std::move(nodes)},
              {"connections", std::move(connections)}};
  if (manifest.contains("modules")) replay["modules"] = manifest.at("modules");
  return replay;
}

}  // namespace

auto ReplayQuarantined(const std::string& id) -> int {
  const auto quarantine = observe::QuarantineDirectory();
  if (!quarantine) return Complain(quarantine.error());
  const auto entry = observe::FindQuarantined(*quarantine, id);
  if (!entry) return ComplainOfId(entry.error());
  const auto original = LoadPipeline(entry->manifest);
  if (!original) return kUsage;
  const auto replay = ReplayOf(manifest::ToJson(*original), *entry, *quarantine / entry->id / "message.bin");
  if (!replay) return Complain(replay.error());
  const auto pipeline = manifest::Parse(replay->dump(), entry->manifest, original->directory);
  if (!pipeline) return Complain(pipeline.error().front());
  RunOptions options;
  options.pipeline.manifest = entry->manifest;
  return RunPlan([&] { return PlanOf(*pipeline, options.pipeline, Room::kBesideRunning); }, options);
}

}  // namespace penstock::cli
