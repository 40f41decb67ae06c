#include "cli/part.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "cli/ends.h"
#include "manifest/suggest.h"

namespace penstock::cli {
namespace {

using manifest::Connection;
using manifest::Pipeline;
using Ids = std::set<std::string, std::less<>>;

auto SourceType(const std::string& kind, const std::string& file) -> std::string {
  const auto extension = std::filesystem::path(file).extension();
  if (kind == "audio") return "media.source";
  if (!kind.empty()) return kind + ".source";
  if (extension == ".bin") return "message.source";
  if (extension == ".json" || extension == ".jsonl" || extension == ".ndjson") return "json.source";
  if (extension == ".txt" || file == "-") return "text.source";
  return "media.source";
}

auto NewNode(std::string id, std::string type, const std::string& param, const std::string& file) -> manifest::Node {
  manifest::Node node;
  node.id = std::move(id);
  node.node_type = std::move(type);
  auto params = nlohmann::json::object();
  if (!file.empty()) params[param] = file;
  node.params = std::make_shared<const nlohmann::json>(std::move(params));
  node.capabilities = std::make_shared<const nlohmann::json>(nullptr);
  return node;
}

class Cutter final {
 public:
  Cutter(Pipeline& pipeline, PartOptions& options) : pipeline_(pipeline), options_(options) {}

  auto Run() -> std::vector<std::string> {
    ChooseNodes();
    if (!errors_.empty()) return std::move(errors_);
    std::vector<Connection> cut;
    for (const auto& edge : std::exchange(pipeline_.connections, {})) {
      const bool from_inside = kept_.contains(edge.from);
      const bool to_inside = kept_.contains(edge.to);
      if (from_inside && to_inside) pipeline_.connections.push_back(edge);
      if (from_inside != to_inside) cut.push_back(edge);
    }
    // Words are understood while all nodes have their names.
    for (const auto& edge : cut) kept_.contains(edge.to) ? ReplaceProducer(edge) : ReplaceConsumer(edge);
    std::erase_if(pipeline_.nodes, [&](const manifest::Node& node) { return !kept_.contains(node.id); });
    std::ranges::move(added_, std::back_inserter(pipeline_.nodes));
    std::erase_if(options_.inputs, [&](const std::string& word) { return used_.contains(word); });
    return std::move(errors_);
  }

 private:
  void ChooseNodes() {
    for (const auto& id : options_.only) Keep("--only", id);
    for (const auto& id : options_.from) Keep("--from", id);
    if (options_.from.empty()) return;
    for (bool grown = true; grown;) {
      grown = false;
      for (const auto& edge : pipeline_.connections)
        if (kept_.contains(edge.from)) grown = kept_.insert(edge.to).second || grown;
    }
  }

  void Keep(const char* option, const std::string& id) {
    std::vector<std::string_view> ids;
    for (const auto& node : pipeline_.nodes) ids.push_back(node.id);
    if (std::ranges::find(ids, id) == ids.end()) {
      errors_.push_back(
          fmt::format("'{} {}': the pipeline has no node '{}'{}", option, id, id, manifest::Suggest(id, ids)));
    }
    kept_.insert(id);
  }

  // A free id for what is put into the place of something.
  auto NewId(const std::string& beginning) const -> std::string {
    const auto taken = [&](const std::string& id) {
      return std::ranges::find(pipeline_.nodes, id, &manifest::Node::id) != pipeline_.nodes.end() ||
             std::ranges::find(added_, id, &manifest::Node::id) != added_.end();
    };
    auto id = beginning;
    for (int number = 2; taken(id); ++number) id = fmt::format("{}-{}", beginning, number);
    return id;
  }

  auto InputFor(const Connection& edge) -> const std::string* {
    for (const auto& text : options_.inputs) {
      const auto word = ParseEnd(text, pipeline_);
      const auto port = edge.to_input.value_or("in");
      if ((word.node.empty() || word.node == edge.to) && (word.port.empty() || word.port == port)) return &text;
    }
    return nullptr;
  }

  void ReplaceProducer(const Connection& edge) {
    const auto port = edge.to_input.value_or("in");
    if (!fed_.emplace(edge.to, port).second) return;
    const auto* text = InputFor(edge);
    if (text == nullptr) {
      errors_.push_back(
          fmt::format("node '{0}' gets its input '{1}' from node '{2}', which is left out: give it a file "
                      "with --input {0}=FILE (audio, .txt, .jsonl, or a message.bin of the quarantine)",
                      edge.to, port, edge.from));
      return;
    }
    used_.insert(*text);
    const auto word = ParseEnd(*text, pipeline_);
    const auto file = OpenableInput(word.file);
    if (!file) {
      errors_.push_back(fmt::format("'--input {}': {}", *text, file.error().message()));
      return;
    }
    const auto type = SourceType(options_.input_kind, word.file);
    added_.push_back(NewNode(NewId(edge.to + "-input"), type, *InputParam(type), *file));
    auto& replaced = pipeline_.connections.emplace_back(edge);
    replaced.from = added_.back().id;
    replaced.from_output.reset();
  }

  void ReplaceConsumer(const Connection& edge) {
    if (!shown_.emplace(edge.from, edge.from_output.value_or("out")).second) return;
    added_.push_back(NewNode(NewId(edge.from + "-output"), "json.sink", "path", {}));
    Connection shown;
    shown.from = edge.from;
    shown.from_output = edge.from_output;
    shown.to = added_.back().id;
    shown.max_message_bytes = edge.max_message_bytes;
    shown.expected_bytes = edge.expected_bytes;
    shown.at = edge.at;
    shown.from_at = edge.from_at;
    shown.to_at = edge.to_at;
    shown.max_message_at = edge.max_message_at;
    pipeline_.connections.push_back(std::move(shown));
  }

  Pipeline& pipeline_;
  PartOptions& options_;
  Ids kept_;
  Ids used_;                                             // words of --input
  std::set<std::pair<std::string, std::string>> fed_;    // inputs that have a source now
  std::set<std::pair<std::string, std::string>> shown_;  // outputs that have a sink now
  std::vector<manifest::Node> added_;
  std::vector<std::string> errors_;
};

}  // namespace

auto TakePart(Pipeline& pipeline, PartOptions& options) -> std::vector<std::string> {
  if (options.only.empty() && options.from.empty()) return {};
  return Cutter(pipeline, options).Run();
}

}  // namespace penstock::cli
