// Random valid pipelines, for property tests only.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "manifest/pipeline.h"

namespace penstock::manifest {

/// Anything a parameter may hold, with text that wants to be something else: "012", "yes", "a: b", "# no".
inline auto GenerateJson(int depth = 2) -> rc::Gen<nlohmann::json> {
  using nlohmann::json;
  const auto text =
      rc::gen::element<std::string>("", " ", "012", "yes", "null", "~", "1e3", "a: b", "# no", "- x", "ä😀", "\"", "\\",
                                    "line\nline", "{", "*a", "<<", "tab\there", "'", "0x1F", "%x");
  const auto scalar = rc::gen::oneOf(
      rc::gen::just(json(nullptr)), rc::gen::map(rc::gen::arbitrary<bool>(), [](bool value) { return json(value); }),
      rc::gen::map(rc::gen::arbitrary<std::int64_t>(), [](std::int64_t value) { return json(value); }),
      rc::gen::map(rc::gen::arbitrary<std::int32_t>(), [](std::int32_t value) { return json(value / 16.0); }),
      rc::gen::map(text, [](std::string value) { return json(std::move(value)); }));
  if (depth == 0) return scalar;
  const auto inner = GenerateJson(depth - 1);
  return rc::gen::oneOf(
      scalar,
      rc::gen::map(rc::gen::container<std::vector<json>>(inner), [](std::vector<json> items) { return json(items); }),
      rc::gen::map(rc::gen::container<std::vector<std::pair<std::string, json>>>(rc::gen::pair(text, inner)),
                   [](const std::vector<std::pair<std::string, json>>& entries) {
                     return json(std::map<std::string, json>(entries.begin(), entries.end()));
                   }));
}

template <class V>
auto Maybe(rc::Gen<V> generator) -> std::optional<V> {
  return *rc::gen::arbitrary<bool>() ? std::optional<V>(*generator) : std::nullopt;
}

inline auto GenerateDuration() -> rc::Gen<Duration> {
  return rc::gen::map(rc::gen::inRange<std::int64_t>(1, 1'000'000'000'000),
                      [](std::int64_t count) { return Duration(count); });
}

inline auto GeneratePackages() -> std::vector<PythonPackage> {
  std::vector<PythonPackage> packages;
  for (const auto* name : {"numpy==1.26.4", "torch[cuda]>=2,<3", "silero-vad", "x @ https://example.org/x.whl"}) {
    if (*rc::gen::arbitrary<bool>()) packages.push_back({name, *rc::gen::arbitrary<bool>()});
  }
  return packages;
}

/// What a container is given of its host.
inline void GenerateAccess(DockerSection& docker) {
  if (*rc::gen::arbitrary<bool>()) docker.volumes.push_back({"./data", "/data", *rc::gen::arbitrary<bool>(), {}, {}});
  if (*rc::gen::arbitrary<bool>()) docker.volumes.push_back({"/srv/x y", "/tmp/x", true, {}, {}});
  docker.env_file = Maybe(rc::gen::element<std::string>("settings.env", "/etc/settings"));
  if (*rc::gen::arbitrary<bool>()) docker.secrets.push_back({"key", {}, {}});
  if (*rc::gen::arbitrary<bool>()) docker.secrets.push_back({"token.pem", "/srv/token", {}});
  docker.gpus = Maybe(rc::gen::element(Gpus{Gpus::kAll, {}}, Gpus{2, {}}, Gpus{0, {"0", "GPU-8932f937"}}));
  if (*rc::gen::arbitrary<bool>()) docker.devices.push_back({"/dev/null", "/dev/other", "rw", {}});
  docker.security.read_only_root = Maybe(rc::gen::arbitrary<bool>());
  docker.security.seccomp = Maybe(rc::gen::element<std::string>("unconfined", "./profile.json"));
  docker.security.apparmor = Maybe(rc::gen::element<std::string>("unconfined", "penstock-node"));
  if (*rc::gen::arbitrary<bool>()) {
    docker.security.user = "0:0";
    docker.security.cap_add = {"NET_ADMIN", "SYS_TIME"};
  }
}

inline auto GenerateDocker() -> DockerSection {
  DockerSection docker;
  docker.python_version = *rc::gen::element<std::string>("3.9", "3.10", "3.11", "3.12", "3.13");
  docker.base_image =
      Maybe(rc::gen::element<std::string>("team/image:1", "localhost:5000/x@sha256:" + std::string(64, '0')));
  if (*rc::gen::arbitrary<bool>()) docker.system_dependencies = {"libsndfile1", "ffmpeg"};
  docker.python_packages = GeneratePackages();
  docker.resource_limits.memory_mb = Maybe(rc::gen::inRange<std::uint64_t>(128, 4096));
  docker.resource_limits.cpu_cores = Maybe(rc::gen::element(0.1, 0.5, 1.0, 1.75, 2.0));
  docker.resource_limits.pids = Maybe(rc::gen::inRange<std::uint32_t>(8, 4096));
  if (*rc::gen::arbitrary<bool>()) docker.env = {{"A", "012"}, {"B", "yes"}, {"EMPTY", ""}};
  docker.network = Maybe(rc::gen::element(Network::kNone, Network::kBridge, Network::kHost));
  docker.tmpfs_mb = Maybe(rc::gen::inRange<std::uint32_t>(1, 64));
  docker.shm_size_mb = Maybe(rc::gen::inRange<std::uint32_t>(1, 64));
  docker.resource_limits.nofile = Maybe(rc::gen::inRange<std::uint32_t>(1024, 4096));
  GenerateAccess(docker);
  docker.sharing = Maybe(rc::gen::element(Sharing::kShared, Sharing::kExclusive));
  if (docker.sharing == Sharing::kExclusive) return docker;
  docker.keep_warm = Maybe(rc::gen::map(rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000),
                                        [](std::int64_t count) { return Duration(count); }));
  docker.max_sessions_per_container = Maybe(rc::gen::inRange<std::uint32_t>(1, 64));
  return docker;
}

/// What follows a failure, for nodes that are neither sources nor native.
inline void GenerateFailure(Node& node) {
  node.process_timeout = Maybe(GenerateDuration());
  node.on_failure = Maybe(rc::gen::element(OnFailure::kFail, OnFailure::kRestart, OnFailure::kSkip));
  if (node.on_failure == OnFailure::kFail || *rc::gen::arbitrary<bool>()) return;
  constexpr auto kHour = std::int64_t{3'600'000'000'000};
  const auto backoff =
      rc::gen::map(rc::gen::inRange<std::int64_t>(0, kHour + 1), [](std::int64_t count) { return Duration(count); });
  node.retry = Retry{.max_attempts = Maybe(rc::gen::inRange<std::uint32_t>(1, 101)),
                     .backoff = Maybe(backoff),
                     .window = Maybe(GenerateDuration())};
}

inline auto GenerateNode(std::size_t index) -> Node {
  Node node;
  node.id = std::string("n").append(std::to_string(index)).append(*rc::gen::element<std::string>("", "-a", "_B"));
  node.node_type = *rc::gen::element<std::string>("media.source", "nodes.a:A", "Registered");
  node.params =
      std::make_shared<const nlohmann::json>(nlohmann::json{{"p", *GenerateJson()}, {"q r", *rc::gen::inRange(0, 9)}});
  node.is_streaming = Maybe(rc::gen::arbitrary<bool>());
  node.capabilities = std::make_shared<const nlohmann::json>(*GenerateJson());
  node.runtime_hint = Maybe(rc::gen::element(RuntimeHint::kAuto, RuntimeHint::kCPythonWasm));
  node.start_timeout = Maybe(GenerateDuration());
  if (ClassifyNodeType(node.node_type) == NodeTypeKind::kNative) return node;
  if (index > 0) GenerateFailure(node);  // the first has no inputs
  if (*rc::gen::arbitrary<bool>()) {
    node.docker = GenerateDocker();
  } else {
    node.python = Maybe(rc::gen::element<std::string>("3.11", "/usr/bin/python3"));
    node.python_packages = GeneratePackages();
  }
  return node;
}

inline auto GenerateConnection(const Node& from, const Node& to, std::size_t index) -> Connection {
  Connection edge;
  edge.from = from.id;
  edge.to = to.id;
  edge.from_output = Maybe(rc::gen::element<std::string>("out", "left", "right"));
  edge.to_input = std::string("in").append(std::to_string(index));
  edge.policy = Maybe(rc::gen::element(Policy::kBlock, Policy::kDropOldest, Policy::kLatest, Policy::kFail));
  if (edge.policy != Policy::kLatest) edge.depth = Maybe(rc::gen::inRange<std::uint32_t>(1, 64));
  edge.max_message_bytes = Maybe(rc::gen::inRange<std::uint64_t>(4096, 1 << 20));
  edge.expected_bytes = Maybe(rc::gen::inRange<std::uint64_t>(1, 4096));
  edge.max_held = Maybe(rc::gen::inRange<std::uint32_t>(0, 16));
  const auto policy = edge.policy.value_or(Policy::kBlock);
  edge.delivery = MayDrop(policy) ? Maybe(rc::gen::just(Delivery::kAtMostOnce))
                                  : Maybe(rc::gen::element(Delivery::kAtLeastOnce, Delivery::kAtMostOnce));
  if (!MayDrop(policy)) edge.max_in_flight_bytes = Maybe(rc::gen::inRange<std::uint64_t>(1, 1 << 20));
  if (policy == Policy::kBlock) edge.deadline = Maybe(GenerateDuration());
  return edge;
}

/// Of a node whose inputs are two ports.
inline void GenerateJoin(Node& node, std::span<Connection> inputs) {
  if (ClassifyNodeType(node.node_type) == NodeTypeKind::kNative || *rc::gen::arbitrary<bool>()) return;
  node.join = Join{.tolerance = Maybe(rc::gen::map(rc::gen::inRange<std::int64_t>(0, 1'000'000'000),
                                                   [](std::int64_t count) { return Duration(count); }))};
  for (auto& edge : inputs) {
    if (edge.depth) edge.depth = std::max(*edge.depth, 2U);
    if (edge.max_held) edge.max_held = std::max(*edge.max_held, 1U);
  }
}

/// Every node but the first has an edge from an earlier one, and maybe more: connected and without cycles.
inline auto GeneratePipeline() -> Pipeline {
  Pipeline pipeline;
  pipeline.file = "generated.yaml";
  pipeline.directory = "/";
  pipeline.metadata.name = *rc::gen::element<std::string>("captions", "012", "a: b", "ä");
  pipeline.metadata.description = Maybe(rc::gen::element<std::string>("null", "two\nlines"));
  const auto count = *rc::gen::inRange<std::size_t>(1, 8);
  for (std::size_t index = 0; index < count; ++index) pipeline.nodes.push_back(GenerateNode(index));
  for (std::size_t to = 1; to < count; ++to) {
    const auto edges = *rc::gen::inRange<std::size_t>(1, 3);
    for (std::size_t edge = 0; edge < edges; ++edge) {
      const auto from = *rc::gen::inRange<std::size_t>(0, to);
      pipeline.connections.push_back(GenerateConnection(pipeline.nodes[from], pipeline.nodes[to], edge));
    }
    if (edges == 2) GenerateJoin(pipeline.nodes[to], std::span(pipeline.connections).last(edges));
  }
  pipeline.modules = {"nodes.registered"};
  pipeline.session.start_timeout = Maybe(GenerateDuration());
  pipeline.session.shm_quota_mb = Maybe(rc::gen::inRange<std::uint64_t>(512, 4096));
  return pipeline;
}

}  // namespace penstock::manifest
