#include "plan/wiring.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "manifest/types.h"

namespace penstock::plan {
namespace {

auto MakePort(const std::string& node, const std::optional<std::string>& port, std::string_view convention)
    -> NodePort {
  return {node, port.value_or(std::string(convention)), port.has_value()};
}

auto MakeEdge(const manifest::Connection& connection) -> Edge {
  Edge edge;
  edge.from = MakePort(connection.from, connection.from_output, "out");
  edge.to = MakePort(connection.to, connection.to_input, "in");
  edge.id = fmt::format("{}.{}->{}.{}", edge.from.node, edge.from.port, edge.to.node, edge.to.port);
  edge.policy = connection.policy.value_or(manifest::Policy::kBlock);
  edge.depth = edge.policy == manifest::Policy::kLatest ? 1 : connection.depth.value_or(kDefaultDepth);
  edge.max_held = connection.max_held.value_or(kDefaultMaxHeld);
  edge.delivery = connection.delivery.value_or(MayDrop(edge.policy) ? manifest::Delivery::kAtMostOnce
                                                                    : manifest::Delivery::kAtLeastOnce);
  edge.max_in_flight_bytes = connection.max_in_flight_bytes.value_or(0);
  edge.deadline = connection.deadline;
  return edge;
}

auto OutputOf(Plan& plan, std::map<std::pair<std::string, std::string>, std::size_t>& known, const NodePort& port)
    -> std::size_t {
  const auto [found, is_new] = known.emplace(std::pair{port.node, port.port}, plan.outputs.size());
  if (is_new) {
    Output output;
    output.port = port;
    output.max_message_bytes = 0;
    plan.outputs.push_back(std::move(output));
  }
  return found->second;
}

/// One publisher serves all edges of an output, so the most demanding edge decides.
void JoinContract(Output& output, const Edge& edge, const manifest::Connection& connection) {
  if (!MayDrop(edge.policy)) output.history = std::max(output.history, edge.depth);
  output.buffer = std::max(output.buffer, edge.depth);
  output.max_held = std::max(output.max_held, edge.max_held + 1);
  output.max_message_bytes = std::max(output.max_message_bytes, connection.max_message_bytes.value_or(0));
  output.expected_bytes = std::max(output.expected_bytes, connection.expected_bytes.value_or(0));
  output.port.named = output.port.named || edge.from.named;
}

/// As many chunks as can be in use at once: every consumer's queue and hands, the history, the producer's hands.
auto CountSlots(const Output& output) -> std::uint32_t {
  const auto consumers = static_cast<std::uint32_t>(output.edges.size());
  return consumers * (output.buffer + output.max_held) + output.history + output.max_loans;
}

constexpr auto kBeyondAnyHost = std::uint64_t{1} << 60U;  // where sums stop, rather than overflow

/// Memory for all chunks of one segment with `bytes` in each. Headers and page borders cost at most two pages a chunk.
auto ChunkMemory(const Output& output, std::uint64_t bytes) -> std::uint64_t {
  constexpr std::uint64_t kPage = 4096;
  const auto chunk = (bytes + kPage - 1) / kPage * kPage + 2 * kPage;
  return chunk > kBeyondAnyHost / output.slots ? kBeyondAnyHost : output.slots * chunk;
}

/// What the edges declare, for as many segments as there may be at a time.
auto Declared(const Output& output) -> std::uint64_t {
  const auto metadata = output.expected_bytes == 0 ? 0 : kExpectedMetadataBytes;
  return output.segments * (kRealmOverheadBytes + ChunkMemory(output, output.expected_bytes + metadata));
}

/// For the chunks of one segment, whatever another has in use.
auto UsableBytes(const Output& output) -> std::uint64_t {
  return output.realm_bytes / output.segments - kRealmOverheadBytes;
}

auto PrefaultBytes(const Output& output) -> std::uint64_t {
  if (output.expected_bytes != 0)
    return std::min(output.expected_bytes + kExpectedMetadataBytes, output.max_message_bytes);
  const auto bytes = std::min({kUndeclaredBytes, kUndeclaredTotalBytes / output.slots, output.max_message_bytes});
  return ChunkMemory(output, bytes) <= UsableBytes(output) ? bytes : 0;
}

/// The outputs whose memory counts twice, for a message about its sum.
auto NameDoubled(const Plan& plan) -> std::string {
  std::vector<std::string> names;
  for (const auto& output : plan.outputs) {
    if (output.segments > 1) names.push_back(fmt::format("{}.{}", output.port.node, output.port.port));
  }
  return names.empty() ? ""
                       : fmt::format(" ({} twice, as the old memory stays for a moment when a node restarts)",
                                     fmt::join(names, ", "));
}

auto CeilMebibytes(std::uint64_t bytes) -> std::uint64_t { return (bytes + kMebibyte - 1) / kMebibyte; }

/// A size that the manifest promises must fit; the default one is only an upper bound, so falling short of it is a
/// warning.
void CheckMessageSizes(const manifest::Pipeline& pipeline, Plan& plan, manifest::Report& report) {
  std::vector<std::string> short_of_default;
  for (const auto& output : plan.outputs) {
    if (output.max_message_bytes <= UsableBytes(output)) continue;
    // Edges are in the order of the connections.
    const auto promised = std::ranges::find_if(output.edges, [&](std::size_t edge) {
      return pipeline.connections[edge].max_message_bytes == output.max_message_bytes;
    });
    if (promised == output.edges.end()) {
      short_of_default.push_back(fmt::format("{}.{}", output.port.node, output.port.port));
      continue;
    }
    auto message = fmt::format(
        "'max_message_bytes' is {}, but output {}.{} gets {} of the session's shared memory{}: raise "
        "'shm_quota_mb' or lower this",
        manifest::RenderSize(output.max_message_bytes), output.port.node, output.port.port,
        manifest::RenderSize(output.realm_bytes),
        output.segments > 1 ? ", half of it kept for when its node restarts" : "");
    report.AddAt(pipeline.connections[*promised].max_message_at, std::move(message));
  }
  if (!short_of_default.empty()) {
    plan.warnings.push_back(
        fmt::format("messages of the default 'max_message_bytes' ({}) do not fit into the shared memory "
                    "of {}: raise the session's 'shm_quota_mb' or declare smaller messages",
                    manifest::RenderSize(kDefaultMaxMessageBytes), fmt::join(short_of_default, ", ")));
  }
}

}  // namespace

void WireEdges(const manifest::Pipeline& pipeline, Plan& plan) {
  std::map<std::string, std::size_t> nodes;
  for (std::size_t index = 0; index < plan.nodes.size(); ++index) nodes[plan.nodes[index].id] = index;
  std::map<std::pair<std::string, std::string>, std::size_t> outputs;
  for (const auto& connection : pipeline.connections) {
    auto edge = MakeEdge(connection);
    edge.output = OutputOf(plan, outputs, edge.from);
    auto& output = plan.outputs[edge.output];
    JoinContract(output, edge, connection);
    output.edges.push_back(plan.edges.size());
    plan.nodes[nodes.at(edge.to.node)].inputs.push_back(plan.edges.size());
    plan.edges.push_back(std::move(edge));
  }
  for (std::size_t index = 0; index < plan.outputs.size(); ++index) {
    plan.nodes[nodes.at(plan.outputs[index].port.node)].outputs.push_back(index);
  }
  for (auto& output : plan.outputs) {
    const auto& node = plan.nodes[nodes.at(output.port.node)];
    output.only_output = node.outputs.size() == 1;
    output.segments = node.restart ? 2 : 1;
    if (output.max_message_bytes == 0)
      output.max_message_bytes = std::max(kDefaultMaxMessageBytes, output.expected_bytes);
    output.slots = CountSlots(output);
  }
}

void CheckFanOut(const manifest::Pipeline& pipeline, const Plan& plan, manifest::Report& report) {
  for (const auto& output : plan.outputs) {
    if (output.edges.size() <= kMaxConsumers) continue;
    report.AddAt(pipeline.connections[output.edges[kMaxConsumers]].at,
                 fmt::format("output {}.{} has {} consumers, at most {} can read one output: put a node between that "
                             "passes messages on to some of them",
                             output.port.node, output.port.port, output.edges.size(), kMaxConsumers));
  }
  for (std::size_t index = 0; index < plan.nodes.size(); ++index) {
    const auto& node = plan.nodes[index];
    auto connections = node.inputs.size();
    for (const auto output : node.outputs) connections += plan.outputs[output].edges.size();
    if (connections <= kMaxConnections) continue;
    report.AddAt(pipeline.nodes[index].at,
                 fmt::format("node '{}' has {} connections, at most {} are possible: divide it", node.id, connections,
                             kMaxConnections));
  }
}

auto CheckQuota(const manifest::Pipeline& pipeline, const HostFacts& host, manifest::Report& report) -> bool {
  const auto host_mb = host.memory_bytes / kMebibyte;
  const auto& asked = pipeline.session.shm_quota_mb;
  if (!asked || *asked <= host_mb) return true;
  report.AddAt(pipeline.session.shm_quota_at,
               fmt::format("'shm_quota_mb' is {}, but this host has {} MB of memory", *asked, host_mb));
  return false;
}

void DivideMemory(const manifest::Pipeline& pipeline, const HostFacts& host, Plan& plan, manifest::Report& report) {
  if (!CheckQuota(pipeline, host, report)) return;
  const auto host_mb = host.memory_bytes / kMebibyte;
  const auto& asked = pipeline.session.shm_quota_mb;
  const base::SourcePosition at = asked ? pipeline.session.shm_quota_at : base::SourcePosition{pipeline.file, 1, 1};
  plan.shm_quota_bytes = asked.value_or(std::min(kDefaultShmQuotaMb, host_mb / 2)) * kMebibyte;
  if (plan.outputs.empty()) return;

  std::uint64_t declared = 0;
  std::uint64_t segments = 0;
  for (const auto& output : plan.outputs) {
    declared = std::min(declared + Declared(output), kBeyondAnyHost);
    segments += output.segments;
  }
  if (declared > plan.shm_quota_bytes) {
    return report.AddAt(
        at, fmt::format("the edges need {} MB of shared memory by their 'expected_bytes' and depths{}, but the "
                        "session's 'shm_quota_mb' is {}: raise it, or lower those",
                        CeilMebibytes(declared), NameDoubled(plan), plan.shm_quota_bytes / kMebibyte));
  }
  const auto share = (plan.shm_quota_bytes - declared) / segments;
  for (auto& output : plan.outputs) {
    output.realm_bytes =
        std::max((Declared(output) + output.segments * share) / kMebibyte * kMebibyte, Declared(output));
    output.prefault_bytes = PrefaultBytes(output);
  }
  CheckMessageSizes(pipeline, plan, report);
}

void GrantDescriptors(Plan& plan) {
  constexpr std::string_view kSession = "{session}";
  for (auto& node : plan.nodes) {
    node.grants.push_back({Grant::Kind::kControlChannel, node.id, "speaks with the runtime"});
    node.grants.push_back({Grant::Kind::kLogPipe, node.id, "stdout, stderr and log records"});
    if (!node.inputs.empty() || !node.outputs.empty()) {
      node.grants.push_back({Grant::Kind::kDoorbell, node.id, "its own, waits on it"});
    }
    if (node.restart) node.grants.push_back({Grant::Kind::kState, node.id, "keeps its state across restarts"});
    for (const auto index : node.inputs) {
      const auto& edge = plan.edges[index];
      // Read and write: a consumer of shared memory releases what it has read by writing into the same segment.
      node.grants.push_back({Grant::Kind::kRealm, ServiceName(plan.outputs[edge.output], kSession), "reads its input"});
      node.grants.push_back({Grant::Kind::kControlBlock, edge.id, "acknowledges and counts"});
      node.grants.push_back({Grant::Kind::kDoorbell, edge.from.node, "returns credit"});
    }
    for (const auto index : node.outputs) {
      const auto& output = plan.outputs[index];
      node.grants.push_back({Grant::Kind::kRealm, ServiceName(output, kSession), "writes its output"});
      for (const auto edge : output.edges) {
        node.grants.push_back({Grant::Kind::kControlBlock, plan.edges[edge].id, "publishes and counts"});
        node.grants.push_back({Grant::Kind::kDoorbell, plan.edges[edge].to.node, "announces messages"});
      }
    }
  }
}

auto StartOrder(const Plan& plan) -> std::vector<std::size_t> {
  std::map<std::string_view, std::size_t> nodes;
  for (std::size_t index = 0; index < plan.nodes.size(); ++index) nodes[plan.nodes[index].id] = index;
  std::vector<std::size_t> waiting(plan.nodes.size());  // consumers that are not in the order yet
  for (const auto& edge : plan.edges) ++waiting[nodes.at(edge.from.node)];
  std::vector<bool> placed(plan.nodes.size());
  std::vector<std::size_t> order;
  while (order.size() < plan.nodes.size()) {
    std::vector<std::size_t> ready;
    for (std::size_t index = 0; index < plan.nodes.size(); ++index) {
      if (!placed[index] && waiting[index] == 0) ready.push_back(index);
    }
    if (ready.empty()) {  // a cycle: enter it at its last node, and sources still come last
      const auto not_source = [&](std::size_t index) { return !placed[index] && !plan.nodes[index].is_source(); };
      auto index = plan.nodes.size();
      while (!not_source(--index)) {
      }
      ready.push_back(index);
    }
    for (const auto index : ready) {
      placed[index] = true;
      order.push_back(index);
      for (const auto input : plan.nodes[index].inputs) {
        auto& left = waiting[nodes.at(plan.edges[input].from.node)];
        if (left > 0) --left;
      }
    }
  }
  std::ranges::stable_partition(order, [&](std::size_t index) { return !plan.nodes[index].is_source(); });
  return order;
}

}  // namespace penstock::plan
