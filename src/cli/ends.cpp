#include "cli/ends.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "manifest/suggest.h"

namespace penstock::cli {
namespace fs = std::filesystem;
namespace {

/// Which of the two ends of a pipeline.
struct Side {
  const char* option;
  const char* verb;
  std::optional<std::string> (*param_of)(std::string_view node_type);
  base::Expected<std::string> (*openable)(const std::string& file);
};

auto Ids(const std::vector<manifest::Node>& nodes) -> std::vector<std::string_view> {
  std::vector<std::string_view> ids;
  for (const auto& node : nodes) ids.push_back(node.id);
  return ids;
}

void SetFile(manifest::Node& node, const std::string& param, const std::string& file) {
  auto params = *node.params;
  params.erase("urls");  // of a media.source, which has either
  if (file.empty()) {
    params.erase(param);
  } else {
    params[param] = file;
  }
  node.params = std::make_shared<const nlohmann::json>(std::move(params));
}

/// The node that is meant. Errors are the rest of a sentence.
auto FindEnd(manifest::Pipeline& pipeline, const Side& side, const EndWord& word) -> base::Expected<manifest::Node*> {
  using base::ErrorCode;
  if (!word.node.empty()) {
    const auto node = std::ranges::find(pipeline.nodes, word.node, &manifest::Node::id);
    if (node == pipeline.nodes.end()) {
      return base::Fail(ErrorCode::kNotFound, "the pipeline has no node '{}'{}", word.node,
                        manifest::Suggest(word.node, Ids(pipeline.nodes)));
    }
    if (side.param_of(node->node_type)) return &*node;
    return base::Fail(ErrorCode::kInvalidArgument, "node '{}' ({}) {} no file by itself; use --set for its parameters",
                      node->id, node->node_type, side.verb);
  }
  std::vector<manifest::Node*> found;
  std::vector<std::string_view> ids;
  for (auto& node : pipeline.nodes) {
    if (!side.param_of(node.node_type)) continue;
    found.push_back(&node);
    ids.push_back(node.id);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return base::Fail(ErrorCode::kNotFound, "no native node of the pipeline {} a file; use --set for parameters",
                      side.verb);
  }
  return base::Fail(ErrorCode::kConflict, "nodes '{}' each {} a file: write which is meant, as in {} {}={}",
                    fmt::join(ids, "', '"), std::string_view(side.verb) == "reads" ? "read" : "write", side.option,
                    ids.front(), word.file);
}

void Apply(manifest::Pipeline& pipeline, const Side& side, const std::vector<std::string>& words,
           std::vector<std::string>& errors) {
  for (const auto& text : words) {
    const auto word = ParseEnd(text, pipeline);
    const auto node = FindEnd(pipeline, side, word);
    const auto file = side.openable(word.file);
    if (!node) {
      errors.push_back(fmt::format("'{} {}': {}", side.option, text, node.error().message()));
    } else if (!file) {
      errors.push_back(fmt::format("'{} {}': {}", side.option, text, file.error().message()));
    } else {
      SetFile(**node, *side.param_of((*node)->node_type), *file);
    }
  }
}

}  // namespace

auto ParseEnd(const std::string& text, const manifest::Pipeline& pipeline) -> EndWord {
  const auto equals = text.find('=');
  const auto target = text.substr(0, equals);
  const auto dot = target.find('.');
  const auto node = target.substr(0, dot);
  std::error_code error;
  const bool is_node = std::ranges::find(pipeline.nodes, node, &manifest::Node::id) != pipeline.nodes.end();
  const bool names_node = is_node || (target.find('/') == std::string::npos && !fs::exists(text, error));
  if (equals == std::string::npos || !names_node) return {.node = {}, .port = {}, .file = text, .text = text};
  return {.node = node,
          .port = dot == std::string::npos ? std::string() : target.substr(dot + 1),
          .file = text.substr(equals + 1),
          .text = text};
}

auto OpenableInput(const std::string& file) -> base::Expected<std::string> {
  if (file != "-") {
    if (::access(file.c_str(), R_OK) != 0) return base::SystemError(fmt::format("read '{}'", file));
    return fs::absolute(file).lexically_normal().string();
  }
  struct stat status{};
  if (::fstat(STDIN_FILENO, &status) != 0) return base::SystemError("look at standard input");
  if (S_ISSOCK(status.st_mode)) {
    return base::Fail(base::ErrorCode::kUnsupported,
                      "standard input is a socket, which a worker cannot open: put 'cat |' before penstock");
  }
  // The worker opens it anew through this process, which keeps it as long as the session runs.
  return fmt::format("/proc/{}/fd/{}", ::getpid(), STDIN_FILENO);
}

auto OpenableOutput(const std::string& file) -> base::Expected<std::string> {
  if (file == "-") return std::string();
  const auto absolute = fs::absolute(file).lexically_normal();
  std::error_code error;
  if (!fs::is_directory(absolute.parent_path(), error)) {
    return base::Fail(base::ErrorCode::kNotFound, "there is no folder '{}'", absolute.parent_path().string());
  }
  return absolute.string();
}

auto InputParam(std::string_view node_type) -> std::optional<std::string> {
  if (node_type == "media.source") return "url";
  if (node_type == "text.source" || node_type == "json.source" || node_type == "message.source") return "path";
  return std::nullopt;
}

auto OutputParam(std::string_view node_type) -> std::optional<std::string> {
  if (node_type == "text.sink" || node_type == "json.sink" || node_type == "media.sink") return "path";
  return std::nullopt;
}

auto ApplyEnds(manifest::Pipeline& pipeline, const std::vector<std::string>& inputs,
               const std::vector<std::string>& outputs) -> std::vector<std::string> {
  std::vector<std::string> errors;
  Apply(pipeline, {.option = "--input", .verb = "reads", .param_of = InputParam, .openable = OpenableInput}, inputs,
        errors);
  Apply(pipeline, {.option = "--output", .verb = "writes", .param_of = OutputParam, .openable = OpenableOutput},
        outputs, errors);
  return errors;
}

}  // namespace penstock::cli
