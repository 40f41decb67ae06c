#include "plan/port_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "manifest/report.h"
#include "manifest/suggest.h"
#include "plan/python_source.h"

namespace penstock::plan {
namespace {
namespace fs = std::filesystem;

struct Known {
  NodePorts ports;
  std::string where;  // " (nodes/asr.py:12)"; empty: native
};

using Classes = std::map<std::string, NodeClass>;

/// The node classes of the modules beside a manifest, each file read once.
class Modules final {
 public:
  explicit Modules(fs::path directory) : directory_(std::move(directory)) {}

  /// `name` as ReadNodeClasses has it.
  auto Find(std::string_view module, const std::string& name) -> Known {
    std::string path(module);
    std::ranges::replace(path, '.', '/');
    for (const auto& file : {path + ".py", path + "/__init__.py"}) {
      const auto& classes = Read(file);
      const auto found = classes.find(name);
      if (found == classes.end()) continue;
      return {.ports = found->second.ports, .where = fmt::format(" ({}:{})", file, found->second.line)};
    }
    return {};
  }

 private:
  auto Read(const std::string& file) -> const Classes& {
    constexpr std::size_t kMostBytes = 1024UL * 1024;
    const auto [known, is_new] = files_.try_emplace(file);
    if (!is_new) return known->second;
    const auto text = base::ReadFile(directory_ / file, kMostBytes);
    if (text) known->second = ReadNodeClasses(*text);
    return known->second;
  }

  fs::path directory_;
  std::map<std::string, Classes> files_;
};

/// One end of a connection.
struct End {
  const std::string& node;
  const std::optional<std::string>& port;
  std::string_view key;         // "to_input"
  std::string_view kind;        // "input"
  std::string_view convention;  // "in"
  base::SourcePosition at;
};

class PortCheck final {
 public:
  PortCheck(const manifest::Pipeline& pipeline, const HostFacts& host)
      : pipeline_(pipeline), host_(host), report_(pipeline.file), modules_(pipeline.directory) {
    for (const auto& node : pipeline.nodes) known_.try_emplace(node.id, PortsOf(node));
  }

  void Edge(const manifest::Connection& edge) {
    const auto from = known_.find(edge.from);
    const auto to = known_.find(edge.to);
    if (from == known_.end() || to == known_.end()) return;
    const auto* output = Select(
        {edge.from, edge.from_output, "from_output", "output", "out", edge.from_output ? edge.from_output_at : edge.at},
        from->second.ports.outputs, from->second.where);
    const auto* input =
        Select({edge.to, edge.to_input, "to_input", "input", "in", edge.to_input ? edge.to_input_at : edge.at},
               to->second.ports.inputs, to->second.where);
    if (output == nullptr || input == nullptr || !output->second || !input->second) return;
    const auto& sent = *output->second;
    const auto& taken = *input->second;
    if (std::ranges::any_of(sent, [&](const auto& type) { return taken.contains(type); })) return;
    report_.AddAt(edge.at,
                  fmt::format("output '{}' of node '{}' sends {}{}, but input '{}' of node '{}' takes {}{}: put "
                              "a node between that makes one of the other, or change an annotation",
                              output->first, edge.from, fmt::join(sent, " or "), from->second.where, input->first,
                              edge.to, fmt::join(taken, " or "), to->second.where));
  }

  auto Take() -> std::vector<base::Error> { return report_.Take(); }

 private:
  using Port = std::pair<const std::string, MessageTypes>;

  auto PortsOf(const manifest::Node& node) -> Known {
    switch (manifest::ClassifyNodeType(node.node_type).value_or(manifest::NodeTypeKind::kNative)) {
      case manifest::NodeTypeKind::kNative: {
        const auto found = host_.native_ports.find(node.node_type);
        return found == host_.native_ports.end() ? Known{} : Known{.ports = found->second, .where = {}};
      }
      case manifest::NodeTypeKind::kPythonClass: {
        const auto colon = node.node_type.find(':');
        return modules_.Find(node.node_type.substr(0, colon), node.node_type.substr(colon + 1));
      }
      case manifest::NodeTypeKind::kRegistered:
        for (const auto& module : pipeline_.modules) {
          auto known = modules_.Find(module, "@" + node.node_type);
          if (!known.where.empty()) return known;
        }
        break;
    }
    return {};
  }

  /// Null: not known, or reported.
  auto Select(const End& end, const Ports& ports, const std::string& where) -> const Port* {
    if (!ports) return nullptr;
    const auto found = ports->find(end.port.value_or(std::string(end.convention)));
    if (found != ports->end()) return &*found;
    if (!end.port && ports->size() == 1) return &*ports->begin();
    std::vector<std::string_view> names;
    for (const auto& [name, types] : *ports) names.push_back(name);
    if (names.empty()) {
      report_.AddAt(end.at, fmt::format("node '{}' has no {}s{}: remove this connection", end.node, end.kind, where));
    } else if (end.port) {
      report_.AddAt(end.at, fmt::format("node '{}' has no {} '{}'{}{}", end.node, end.kind, *end.port, where,
                                        manifest::Suggest(*end.port, names)));
    } else {
      report_.AddAt(end.at, fmt::format("node '{}' has the {}s '{}'{}: say which one with '{}'", end.node, end.kind,
                                        fmt::join(names, "', '"), where, end.key));
    }
    return nullptr;
  }

  const manifest::Pipeline& pipeline_;
  const HostFacts& host_;
  manifest::Report report_;
  Modules modules_;
  std::map<std::string, Known, std::less<>> known_;
};

}  // namespace

auto CheckPorts(const manifest::Pipeline& pipeline, const HostFacts& host) -> std::vector<base::Error> {
  PortCheck check(pipeline, host);
  for (const auto& edge : pipeline.connections) check.Edge(edge);
  return check.Take();
}

}  // namespace penstock::plan
