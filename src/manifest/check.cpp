#include "manifest/check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "manifest/suggest.h"
#include "manifest/types.h"

namespace penstock::manifest {
namespace {

using Index = std::map<std::string, const Node*, std::less<>>;
constexpr std::size_t kMostNames = 8;  // in one message

using Edges = std::map<std::string_view, std::vector<const Connection*>>;

auto CheckIds(Report& report, const Pipeline& pipeline) -> Index {
  Index nodes;
  for (const auto& node : pipeline.nodes) {
    if (node.id.empty()) continue;
    const auto [first, is_new] = nodes.emplace(node.id, &node);
    if (!is_new) {
      const auto& at = first->second->at;
      report.AddAt(node.at,
                   fmt::format("two nodes are called '{}'; the first is at {}:{}", node.id, at.line, at.column));
    }
  }
  return nodes;
}

/// What a native node cannot have, because it is no Python program.
void CheckNative(Report& report, const Node& node) {
  if (node.join) {
    report.AddAt(node.join_at, fmt::format("'{}' is a native node, which takes messages one by one: remove 'join' from "
                                           "node '{}'",
                                           node.node_type, node.id));
  }
  for (const auto& [field, given] : {std::pair{"docker", node.docker.has_value()},
                                     {"python", node.python.has_value()},
                                     {"python_packages", !node.python_packages.empty()}}) {
    if (given) {
      report.AddAt(node.node_type_at,
                   fmt::format("'{}' is a native node, which has no Python: remove '{}' from node '{}'", node.node_type,
                               field, node.id));
    }
  }
}

/// A join keeps a message of one port while it looks at the next one, so both must find room.
void CheckJoinedEdge(Report& report, const Connection& edge) {
  constexpr std::string_view kWhy =
      "node '{}' joins its inputs, for which it keeps a message while it looks at the next";
  if (!MayDrop(edge.policy.value_or(Policy::kBlock)) && edge.depth && *edge.depth < 2) {
    report.AddAt(edge.at, fmt::format("{}: give this connection a 'depth' of at least 2", fmt::format(kWhy, edge.to)));
  }
  if (edge.max_held && *edge.max_held < 1) {
    report.AddAt(edge.at,
                 fmt::format("{}: give this connection a 'max_held' of at least 1", fmt::format(kWhy, edge.to)));
  }
}

void CheckJoin(Report& report, const std::vector<const Connection*>& inputs, const Node& node) {
  std::map<std::string, const Connection*, std::less<>> ports;
  for (const auto* input : inputs) {
    const auto& edge = *input;
    const auto port = edge.to_input.value_or("in");
    CheckJoinedEdge(report, edge);
    const auto [first, is_new] = ports.emplace(port, &edge);
    if (is_new) continue;
    const auto& other = *first->second;
    if (other.from == edge.from && other.from_output == edge.from_output) continue;  // told elsewhere
    report.AddAt(edge.at,
                 fmt::format("input '{}' of node '{}' has a connection already, at {}:{}: an input that is joined with "
                             "others takes the messages of one output",
                             port, node.id, other.at.line, other.at.column));
  }
  if (ports.size() >= 2) return;
  report.AddAt(
      node.join_at,
      fmt::format(
          "node '{}' joins its inputs, but {}: connect two or more ('to_input'), or remove 'join'", node.id,
          ports.empty() ? "nothing is connected to it" : fmt::format("only '{}' is connected", ports.begin()->first)));
}

void CheckRetry(Report& report, const Node& node) {
  if (!node.retry || node.on_failure != OnFailure::kFail) return;
  report.AddAt(
      node.retry_at,
      fmt::format("'retry' says how often node '{}' is restarted, but its 'on_failure' is 'fail': remove one of "
                  "them",
                  node.id));
}

void CheckJoins(Report& report, const Pipeline& pipeline, const Index& nodes) {
  Edges inputs;
  for (const auto& edge : pipeline.connections) inputs[edge.to].push_back(&edge);
  for (const auto& [id, node] : nodes) {
    if (node->join && ClassifyNodeType(node->node_type) != NodeTypeKind::kNative) CheckJoin(report, inputs[id], *node);
  }
}

void CheckNodes(Report& report, const Pipeline& pipeline) {
  for (const auto& node : pipeline.nodes) {
    const auto kind = ClassifyNodeType(node.node_type);
    if (kind == NodeTypeKind::kNative) CheckNative(report, node);
    CheckRetry(report, node);
    if (kind == NodeTypeKind::kRegistered && pipeline.modules.empty()) {
      report.AddAt(
          node.node_type_at,
          fmt::format("'{}' is a registered name, but the manifest lists no 'modules' that could register it; a "
                      "class is written 'module:{}'",
                      node.node_type, node.node_type));
    }
    if (kind != NodeTypeKind::kNative && node.docker) {
      for (const auto& [field, given] :
           {std::pair{"python", node.python.has_value()}, {"python_packages", !node.python_packages.empty()}}) {
        if (!given) continue;
        const auto* advice =
            std::string_view(field) == "python" ? "'docker' has 'python_version'" : "move it into 'docker'";
        report.AddAt(node.at, fmt::format("node '{}' has 'docker' and '{}', which is for nodes on the host: {}",
                                          node.id, field, advice));
      }
    }
  }
}

auto PortName(const std::optional<std::string>& port, std::string_view otherwise) -> std::string {
  return port ? *port : std::string(otherwise);
}

void CheckContract(Report& report, const Connection& edge) {
  const auto policy = edge.policy.value_or(Policy::kBlock);
  if (edge.delivery == Delivery::kAtLeastOnce && MayDrop(policy)) {
    report.AddAt(edge.delivery_at,
                 fmt::format("an edge with the policy '{}' loses messages by design: remove 'delivery', or use the "
                             "policy 'block'",
                             ToString(policy)));
  }
  if (edge.max_in_flight_bytes && MayDrop(policy)) {
    report.AddAt(edge.max_in_flight_at,
                 fmt::format("'max_in_flight_bytes' holds a producer up, which the policy '{}' never does: bound the "
                             "queue by 'depth', or use the policy 'block'",
                             ToString(policy)));
  }
  if (edge.deadline && policy != Policy::kBlock) {
    report.AddAt(edge.deadline_at,
                 fmt::format("'deadline' limits how long a producer waits, and with the policy '{}' it never waits: "
                             "remove it, or use the policy 'block'",
                             ToString(policy)));
  }
  if (edge.policy == Policy::kLatest && edge.depth && *edge.depth != 1) {
    report.AddAt(edge.at, "the policy 'latest' keeps one message: remove 'depth', or use 'drop_oldest'");
  }
  if (edge.max_message_bytes && edge.expected_bytes && *edge.expected_bytes > *edge.max_message_bytes) {
    report.AddAt(edge.at, fmt::format("'expected_bytes' ({}) is above 'max_message_bytes' ({})",
                                      RenderSize(*edge.expected_bytes), RenderSize(*edge.max_message_bytes)));
  }
}

void CheckConnections(Report& report, const Pipeline& pipeline, const Index& nodes) {
  std::vector<std::string_view> ids;
  for (const auto& [id, node] : nodes) ids.push_back(id);
  std::map<std::string, base::SourcePosition> seen;
  std::map<std::string_view, std::string> suggestions;  // a name may be looked for in vain many times
  for (const auto& edge : pipeline.connections) {
    for (const auto& [end, at] : {std::pair{&edge.from, &edge.from_at}, {&edge.to, &edge.to_at}}) {
      if (end->empty() || nodes.contains(*end)) continue;
      const auto [known, is_new] = suggestions.try_emplace(*end);
      if (is_new) known->second = Suggest(*end, ids);
      report.AddAt(*at, fmt::format("no node is called '{}'{}", *end, known->second));
    }
    CheckContract(report, edge);
    if (edge.from.empty() || edge.to.empty()) continue;
    const auto id = fmt::format("{}.{}->{}.{}", edge.from, PortName(edge.from_output, "out"), edge.to,
                                PortName(edge.to_input, "in"));
    const auto [first, is_new] = seen.emplace(id, edge.at);
    if (!is_new) {
      report.AddAt(edge.at, fmt::format("the connection {} is given twice; first at {}:{}", id, first->second.line,
                                        first->second.column));
    }
  }
}

/// Nodes that messages could come to: sources, and what they lead to. What is connected to a name that does not exist
/// counts, as that has been reported.
auto Reached(const Pipeline& pipeline, const Index& nodes) -> std::set<std::string_view> {
  std::map<std::string_view, std::vector<std::string_view>> consumers;
  std::set<std::string_view> fed;
  std::vector<std::string_view> next;
  for (const auto& edge : pipeline.connections) {
    consumers[edge.from].push_back(edge.to);
    fed.insert(edge.to);
    if (!nodes.contains(edge.from)) next.push_back(edge.to);
  }
  for (const auto& [id, node] : nodes) {
    if (!fed.contains(id)) next.push_back(id);
  }
  std::set<std::string_view> reached;
  while (!next.empty()) {
    const auto id = next.back();
    next.pop_back();
    if (!reached.insert(id).second) continue;
    const auto found = consumers.find(id);
    if (found != consumers.end()) next.insert(next.end(), found->second.begin(), found->second.end());
  }
  return reached;
}

void CheckReach(Report& report, const Pipeline& pipeline, const Index& nodes) {
  const auto reached = Reached(pipeline, nodes);
  std::vector<std::string_view> names;
  const base::SourcePosition* at = nullptr;
  for (const auto& node : pipeline.nodes) {
    const auto found = nodes.find(node.id);
    if (found == nodes.end() || found->second != &node || reached.contains(node.id)) continue;
    if (names.empty()) at = &node.at;
    names.push_back(node.id);
  }
  if (names.empty()) return;
  if (names.size() > kMostNames) {
    names.resize(kMostNames);
    names.emplace_back("…");
  }
  report.AddAt(*at, fmt::format("no source leads to '{}', which only a cycle feeds: connect a node that has no inputs",
                                fmt::join(names, "', '")));
}

void CheckConnected(Report& report, const Pipeline& pipeline) {
  if (pipeline.nodes.size() < 2) return;
  std::set<std::string_view> connected;
  for (const auto& edge : pipeline.connections) connected.insert({edge.from, edge.to});
  for (const auto& node : pipeline.nodes) {
    if (node.id.empty() || connected.contains(node.id)) continue;
    report.AddAt(node.at, fmt::format("node '{}' is not connected to any other: connect it or remove it", node.id));
  }
}

/// Finds cycles in which every edge blocks: each producer may wait for the next. Iterative, as manifests may be deep.
class CycleSearch final {
 public:
  CycleSearch(Report& report, const Pipeline& pipeline) : report_(report) {
    for (const auto& edge : pipeline.connections) {
      if (edge.from.empty() || edge.to.empty()) continue;  // reported already
      if (edge.policy.value_or(Policy::kBlock) == Policy::kBlock) edges_[edge.from].push_back(&edge);
    }
  }

  void Run() {
    for (const auto& [id, edges] : edges_) {
      if (!state_.contains(id)) Walk(id);
    }
  }

 private:
  enum class State { kOnPath, kDone };
  struct Step {
    std::string_view node;
    std::size_t next = 0;
  };

  void Walk(std::string_view start) {
    Enter(start);
    while (!path_.empty()) {
      auto& step = path_.back();
      const auto edges = edges_.find(step.node);
      if (edges == edges_.end() || step.next == edges->second.size()) {
        state_[step.node] = State::kDone;
        path_.pop_back();
        continue;
      }
      const auto& edge = *edges->second[step.next++];
      const auto seen = state_.find(edge.to);
      if (seen == state_.end()) {
        Enter(edge.to);
      } else if (seen->second == State::kOnPath) {
        ReportCycle(edge);
      }
    }
  }

  void Enter(std::string_view node) {
    state_[node] = State::kOnPath;
    path_.push_back({node});
  }

  void ReportCycle(const Connection& closing) {
    std::vector<std::string_view> cycle;
    for (auto step = std::ranges::find(path_, std::string_view(closing.to), &Step::node); step != path_.end(); ++step) {
      cycle.push_back(step->node);
    }
    if (cycle.size() > kMostNames) {
      cycle.resize(kMostNames);
      cycle.emplace_back("…");
    }
    cycle.push_back(closing.to);
    report_.AddAt(closing.at,
                  fmt::format("the connections {} form a cycle in which each node may wait for the next, so it could "
                              "come to a standstill: give one of them the policy 'latest', 'drop_oldest' or 'fail'",
                              fmt::join(cycle, " -> ")));
  }

  Report& report_;
  Edges edges_;
  std::map<std::string_view, State> state_;
  std::vector<Step> path_;
};

}  // namespace

void CheckPipeline(Report& report, const Pipeline& pipeline) {
  const auto nodes = CheckIds(report, pipeline);
  CheckNodes(report, pipeline);
  CheckJoins(report, pipeline, nodes);
  CheckConnections(report, pipeline, nodes);
  CheckConnected(report, pipeline);
  CheckReach(report, pipeline, nodes);
  CycleSearch(report, pipeline).Run();
}

}  // namespace penstock::manifest
