#include "plan/plan.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "manifest/generate_pipeline.h"
#include "manifest/load.h"
#include "plan/render.h"

namespace penstock::plan {
namespace {

namespace fs = std::filesystem;

const HostFacts kHost{.cpus = 2, .memory_bytes = 16ULL * 1024 * kMebibyte, .native_nodes = {}};

auto Parsed(const std::string& text) -> manifest::Pipeline {
  auto parsed = manifest::Parse("version: v1\nmetadata: {name: x}\n" + text, "p.yaml", "/app");
  if (!parsed) ADD_FAILURE() << manifest::RenderErrors(parsed.error());
  return parsed ? *std::move(parsed) : manifest::Pipeline{};
}

auto PlanOf(const std::string& text) -> Plan {
  auto plan = MakePlan(Parsed(text), kHost, PlacementOverride::kAsDeclared);
  if (!plan) ADD_FAILURE() << manifest::RenderErrors(plan.error());
  return plan ? *std::move(plan) : Plan{};
}

auto ErrorsOf(const std::string& text, const HostFacts& host = kHost) -> std::string {
  const auto plan = MakePlan(Parsed(text), host, PlacementOverride::kAsDeclared);
  return plan ? "planned" : manifest::RenderErrors(plan.error());
}

// Snapshots: what people and programs are shown. After a wanted change, PENSTOCK_UPDATE_SNAPSHOTS=1 writes them anew.

struct Snapshot {
  std::string manifest;
  PlacementOverride placement;
  std::string name;
};

class PlanSnapshot : public testing::TestWithParam<Snapshot> {};

void ExpectSnapshot(const fs::path& path, const std::string& actual) {
  if (std::getenv("PENSTOCK_UPDATE_SNAPSHOTS") != nullptr) std::ofstream(path) << actual;
  std::ifstream stream(path);
  std::ostringstream expected;
  expected << stream.rdbuf();
  EXPECT_EQ(actual, expected.str()) << "snapshot " << path;
}

TEST_P(PlanSnapshot, RendersAsRecorded) {
  const fs::path corpus(PENSTOCK_MANIFESTS);
  const auto pipeline = manifest::Load(corpus / "good" / GetParam().manifest);
  ASSERT_TRUE(pipeline) << manifest::RenderErrors(pipeline.error());

  const auto plan = MakePlan(*pipeline, kHost, GetParam().placement);

  ASSERT_TRUE(plan) << manifest::RenderErrors(plan.error());
  ExpectSnapshot(corpus / "plans" / (GetParam().name + ".txt"), RenderTable(*plan));
  ExpectSnapshot(corpus / "plans" / (GetParam().name + ".json"), ToJson(*plan).dump(2) + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, PlanSnapshot,
    testing::Values(Snapshot{"speech_captions_spec.yaml", PlacementOverride::kAsDeclared, "speech_captions_spec"},
                    Snapshot{"demo.yaml", PlacementOverride::kAsDeclared, "demo"},
                    Snapshot{"demo.yaml", PlacementOverride::kProcess, "demo_process"},
                    Snapshot{"fan_out_with_mixed_policies.yaml", PlacementOverride::kAsDeclared, "fan_out"},
                    Snapshot{"several_outputs.yaml", PlacementOverride::kAsDeclared, "several_outputs"},
                    Snapshot{"joins.yaml", PlacementOverride::kAsDeclared, "joins"},
                    Snapshot{"restart.yaml", PlacementOverride::kAsDeclared, "restart"},
                    Snapshot{"contracts.yaml", PlacementOverride::kAsDeclared, "contracts"},
                    Snapshot{"docker_every_field.yaml", PlacementOverride::kAsDeclared, "docker_every_field"},
                    Snapshot{"old_manifest_fields.yaml", PlacementOverride::kAsDeclared, "old_manifest_fields"}),
    [](const auto& snapshot) { return snapshot.param.name; });

TEST(Plan, NodesRunWhereTheirManifestPutsThem) {  // FR-001
  const auto plan = PlanOf(R"(
nodes:
  - {id: native, node_type: media.source}
  - {id: process, node_type: "nodes.a:A", python_packages: [numpy]}
  - {id: container, node_type: Registered, docker: {python_version: "3.10"}}
connections: [{from: native, to: process}, {from: process, to: container}]
modules: [nodes.a]
)");

  EXPECT_EQ(plan.nodes.at(0).placement, Placement::kNative);
  EXPECT_EQ(plan.nodes.at(1).placement, Placement::kProcess);
  EXPECT_TRUE(plan.nodes.at(1).environment->NeedsBuild());
  EXPECT_EQ(plan.nodes.at(2).placement, Placement::kContainer);
  EXPECT_FALSE(plan.nodes.at(2).environment->NeedsBuild());
}

TEST(Plan, ContainersAreLockedDownUnlessTheManifestLoosensThem) {
  const auto plan = PlanOf(R"(
nodes:
  - {id: a, node_type: "nodes.a:A", docker: {python_version: "3.10"}}
  - {id: b, node_type: "nodes.a:A", docker: {python_version: "3.10", network: bridge, tmpfs_mb: 7}}
connections: [{from: a, to: b}]
)");

  const auto& closed = plan.nodes.at(0).container->rights;
  EXPECT_EQ(closed.network, manifest::Network::kNone);
  EXPECT_TRUE(closed.read_only_root && closed.drop_all_capabilities && closed.no_new_privileges);
  EXPECT_EQ(closed.uid, 1000);
  const auto& opened = plan.nodes.at(1).container->rights;
  EXPECT_EQ(opened.network, manifest::Network::kBridge);
  EXPECT_EQ(opened.tmpfs_mb, 7);
  EXPECT_TRUE(opened.read_only_root && opened.drop_all_capabilities && opened.no_new_privileges);
}

TEST(Plan, ServiceNamesCarryThePortOnlyWhereANodeHasSeveralOutputs) {  // FR-010
  const auto plan = PlanOf(R"(
nodes: [{id: a, node_type: "n:A"}, {id: b, node_type: "n:B"}, {id: c, node_type: "n:C"}]
connections:
  - {from: a, to: b, from_output: left}
  - {from: a, to: c, from_output: right}
  - {from: b, to: c, to_input: other, from_output: only}
)");

  EXPECT_EQ(ServiceName(plan.outputs.at(0), "0190"), "0190_a_output.left");
  EXPECT_EQ(ServiceName(plan.outputs.at(1), "0190"), "0190_a_output.right");
  EXPECT_EQ(ServiceName(plan.outputs.at(2), "0190"), "0190_b_output");
}

TEST(Plan, OneOutputServesItsMostDemandingEdge) {
  const auto plan = PlanOf(R"(
nodes: [{id: a, node_type: media.source}, {id: b, node_type: "n:B"}, {id: c, node_type: "n:C"}, {id: d, node_type: "n:D"}]
connections:
  - {from: a, to: b, depth: 3, max_held: 9, max_message_bytes: 1MiB}
  - {from: a, to: c, depth: 20, policy: drop_oldest, max_message_bytes: 2MiB, expected_bytes: 64KiB}
  - {from: a, to: d, policy: latest}
)");

  ASSERT_EQ(plan.outputs.size(), 1);
  const auto& output = plan.outputs[0];
  EXPECT_EQ(output.history, 3) << "only block edges replay";
  EXPECT_EQ(output.buffer, 20);
  EXPECT_EQ(output.max_held, 10);
  EXPECT_EQ(output.slots, 3 * (20 + 10) + 3 + 2);
  EXPECT_EQ(output.max_message_bytes, 2 * kMebibyte);
  EXPECT_EQ(output.expected_bytes, 64 * 1024);
  EXPECT_EQ(plan.edges.at(2).depth, 1);
}

TEST(Plan, WorkersAreHandedTheRealmsOfTheirOwnEdgesOnly) {
  const auto plan = PlanOf(R"(
nodes: [{id: a, node_type: media.source}, {id: b, node_type: "n:B"}, {id: c, node_type: "n:C"}]
connections: [{from: a, to: b}, {from: b, to: c}]
)");

  const auto realms = [&](std::size_t node) {
    std::vector<std::string> subjects;
    for (const auto& grant : plan.nodes.at(node).grants) {
      if (grant.kind == Grant::Kind::kRealm) subjects.push_back(grant.subject);
    }
    return subjects;
  };
  EXPECT_THAT(realms(0), testing::ElementsAre("{session}_a_output"));
  EXPECT_THAT(realms(1), testing::ElementsAre("{session}_a_output", "{session}_b_output"));
  EXPECT_THAT(realms(2), testing::ElementsAre("{session}_b_output"));
}

TEST(Plan, SourcesStartLastAlsoWithCycles) {
  const auto plan = PlanOf(R"(
nodes:
  - {id: source, node_type: media.source}
  - {id: plant, node_type: "n:A"}
  - {id: control, node_type: "n:B"}
  - {id: sink, node_type: text.sink}
connections:
  - {from: source, to: plant}
  - {from: plant, to: control}
  - {from: control, to: plant, to_input: command, policy: latest}
  - {from: plant, to: sink, from_output: state}
)");

  EXPECT_THAT(plan.start_order, testing::UnorderedElementsAre(0, 1, 2, 3));
  EXPECT_EQ(plan.start_order.front(), 3);
  EXPECT_EQ(plan.start_order.back(), 0);
}

TEST(Plan, InterpretersAreVersionsCommandsOrPathsFromTheManifest) {
  const auto environment = [](const std::string& python) {
    return *PlanOf(fmt::format("nodes: [{{id: a, node_type: \"n:A\", python: {}}}]\n", python)).nodes.at(0).environment;
  };

  EXPECT_EQ(environment("3.11").python_version, "3.11");
  EXPECT_FALSE(environment("3.11").interpreter);
  EXPECT_EQ(environment("python3.11").interpreter, "python3.11");
  EXPECT_EQ(environment("venv/bin/python").interpreter, "/app/venv/bin/python");
  EXPECT_EQ(environment("./python").interpreter, "/app/python");
  EXPECT_EQ(environment("/opt/x/python3").interpreter, "/opt/x/python3");
}

TEST(Plan, WhatAManifestSaysForReadersIsShown) {
  auto pipeline = Parsed("nodes: [{id: a, node_type: \"n:A\"}]\n");
  pipeline.metadata.description = "one\ntwo\n";
  pipeline.metadata.created_at = "2026";

  const auto plan = MakePlan(pipeline, kHost, PlacementOverride::kAsDeclared);

  EXPECT_THAT(RenderTable(*plan), testing::HasSubstr("to start\n  created at 2026\n  one\n  two\n\n"));
  EXPECT_EQ(ToJson(*plan).at("description"), "one\ntwo\n");
  EXPECT_EQ(ToJson(*plan).at("created_at"), "2026");
}

TEST(Plan, WhatAHostRefusesIsKnownOfManifestsWithErrorsToo) {
  manifest::Pipeline pipeline;
  pipeline.file = "p.yaml";
  pipeline.nodes.resize(2);  // of the first nothing could be read
  auto& node = pipeline.nodes[1];
  node.id = "a";
  node.node_type = "n:A";
  node.params = node.capabilities = std::make_shared<const nlohmann::json>();
  node.docker.emplace();
  node.docker->resource_limits.memory_mb = 20000;
  node.docker->resource_limits.memory_at = {"p.yaml", 5, 6};
  pipeline.session.shm_quota_mb = 30000;
  pipeline.session.shm_quota_at = {"p.yaml", 7, 8};

  EXPECT_EQ(manifest::RenderErrors(CheckHost(pipeline, kHost, PlacementOverride::kAsDeclared)),
            "p.yaml:5:6: 'memory_mb' of node 'a' is 20000, but this host has 16384\n"
            "p.yaml:7:8: 'shm_quota_mb' is 30000, but this host has 16384 MB of memory\n2 errors\n");
}

TEST(Plan, PromisesThatNoHostCouldKeepDoNotOverflow) {
  std::string nodes = "nodes:\n  - {id: s, node_type: media.source}\n";
  std::string edges = "connections:\n";
  for (int i = 0; i < 4; ++i) {  // together more than 2^64 bytes
    nodes += fmt::format("  - {{id: n{}, node_type: text.sink}}\n", i);
    edges += fmt::format("  - {{from: s, to: n{}, depth: 4095, max_held: 3069, expected_bytes: 562949953421312}}\n", i);
  }
  EXPECT_THAT(ErrorsOf(nodes + edges), testing::HasSubstr("the edges need 1099511627776 MB of shared memory"));
}

TEST(Plan, LimitsBeyondTheHostAreErrorsWhereTheyAreWritten) {
  EXPECT_EQ(ErrorsOf(R"(nodes:
  - id: a
    node_type: nodes.a:A
    docker:
      python_version: "3.11"
      resource_limits:
        memory_mb: 20000
        cpu_cores: 2.5
session: {shm_quota_mb: 20000}
)"),
            "p.yaml:9:20: 'memory_mb' of node 'a' is 20000, but this host has 16384\n"
            "p.yaml:10:20: 'cpu_cores' of node 'a' is 2.5, but this host has 2\n"
            "p.yaml:11:25: 'shm_quota_mb' is 20000, but this host has 16384 MB of memory\n3 errors\n");
}

TEST(Plan, MoreConsumersThanAnOutputCanHaveAreAnError) {
  std::string nodes = "nodes:\n  - {id: source, node_type: media.source}\n";
  std::string connections = "connections:\n";
  for (std::size_t i = 0; i <= kMaxConsumers; ++i) {
    nodes += fmt::format("  - {{id: sink{}, node_type: text.sink}}\n", i);
    connections += fmt::format("  - {{from: source, to: sink{}}}\n", i);
  }
  EXPECT_THAT(ErrorsOf(nodes + connections), testing::HasSubstr("output source.out has 25 consumers, at most 24"));
}

TEST(Plan, MoreConnectionsThanAWorkerCanBeHandedAreAnError) {
  std::string nodes = "nodes:\n  - {id: sink, node_type: text.sink}\n";
  std::string connections = "connections:\n";
  for (std::size_t i = 0; i <= kMaxConnections; ++i) {
    nodes += fmt::format("  - {{id: source{}, node_type: media.source}}\n", i);
    connections += fmt::format("  - {{from: source{}, to: sink}}\n", i);
  }
  EXPECT_THAT(ErrorsOf(nodes + connections), testing::HasSubstr("node 'sink' has 81 connections, at most 80"));
}

TEST(Plan, UnknownNativeNodesAreErrorsWhereTheHostSaysWhatExists) {
  auto host = kHost;
  host.native_nodes = {"media.source", "text.sink"};

  EXPECT_EQ(ErrorsOf("nodes: [{id: a, node_type: media.sorce}]", host),
            "p.yaml:3:28: there is no native node 'media.sorce'; did you mean 'media.source'?\n");
}

TEST(Plan, PromisedSizesMustFitIntoTheSharedMemory) {
  EXPECT_EQ(
      ErrorsOf(R"(nodes: [{id: a, node_type: media.source}, {id: b, node_type: text.sink}]
connections: [{from: a, to: b, expected_bytes: 1MiB}]
session: {shm_quota_mb: 16})"),
      "p.yaml:5:25: the edges need 26 MB of shared memory by their 'expected_bytes' and depths, but the session's "
      "'shm_quota_mb' is 16: raise it, or lower those\n");
  EXPECT_EQ(
      ErrorsOf(R"(nodes: [{id: a, node_type: media.source}, {id: b, node_type: text.sink}]
connections: [{from: a, to: b, max_message_bytes: 20MiB}]
session: {shm_quota_mb: 16})"),
      "p.yaml:4:51: 'max_message_bytes' is 20 MiB, but output a.out gets 16 MiB of the session's shared memory: raise "
      "'shm_quota_mb' or lower this\n");
}

TEST(Plan, RestartsAreAskedForByOnFailureOrByRetryAlone) {  // FR-009
  const auto plan = PlanOf(R"(
nodes:
  - {id: source, node_type: media.source}
  - {id: a, node_type: "n:A"}
  - {id: b, node_type: "n:B", on_failure: fail, process_timeout: 2s}
  - {id: c, node_type: "n:C", on_failure: restart}
  - {id: d, node_type: "n:D", retry: {max_attempts: 7}}
  - {id: e, node_type: "n:E", on_failure: restart, retry: {backoff: 0, window: 5m}}
connections: [{from: source, to: a}, {from: a, to: b}, {from: b, to: c}, {from: c, to: d}, {from: d, to: e}]
)");

  for (std::size_t index = 0; index < 3; ++index) EXPECT_FALSE(plan.nodes.at(index).restart) << plan.nodes.at(index).id;
  EXPECT_EQ(plan.nodes.at(2).process_timeout, std::chrono::seconds(2));
  const auto expect_restart = [&](std::size_t index, const Restart& expected) {
    const auto& restart = plan.nodes.at(index).restart;
    ASSERT_TRUE(restart) << plan.nodes.at(index).id;
    EXPECT_EQ(restart->max_attempts, expected.max_attempts);
    EXPECT_EQ(restart->backoff, expected.backoff);
    EXPECT_EQ(restart->window, expected.window);
  };
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  expect_restart(3, {.max_attempts = 3, .backoff = milliseconds(100), .window = seconds(60)});
  expect_restart(4, {.max_attempts = 7, .backoff = milliseconds(100), .window = seconds(60)});
  expect_restart(5, {.max_attempts = 3, .backoff = milliseconds(0), .window = seconds(300)});
}

TEST(Plan, SourcesAreNotTimed) {
  EXPECT_EQ(ErrorsOf(R"(nodes:
  - id: a
    node_type: n:A
    on_failure: restart
    retry: {max_attempts: 2}
    process_timeout: 1s
  - {id: b, node_type: "n:B", on_failure: fail}
  - {id: c, node_type: "n:C", retry: {}}
connections: [{from: a, to: c}, {from: b, to: c, to_input: other}]
)"),
            "p.yaml:8:5: 'process_timeout' is for handling a message, and a source handles none: remove it from node "
            "'a', which has no inputs\n");
}

TEST(Plan, OutputsOfNodesThatRestartHaveTheirMemoryTwice) {
  const auto plan = PlanOf(R"(
nodes: [{id: a, node_type: media.source}, {id: b, node_type: "n:B", on_failure: restart}, {id: c, node_type: text.sink}]
connections: [{from: a, to: b, expected_bytes: 1MiB}, {from: b, to: c, expected_bytes: 1MiB}]
session: {shm_quota_mb: 300}
)");

  EXPECT_EQ(plan.outputs.at(0).segments, 1);
  EXPECT_EQ(plan.outputs.at(1).segments, 2);
  EXPECT_EQ(plan.outputs.at(0).realm_bytes, 100 * kMebibyte);
  EXPECT_EQ(plan.outputs.at(1).realm_bytes, 200 * kMebibyte);
  EXPECT_EQ(plan.outputs.at(0).prefault_bytes, plan.outputs.at(1).prefault_bytes);
}

TEST(Plan, PromisedSizesMustFitTwiceWhereANodeRestarts) {
  const std::string nodes =
      "nodes: [{id: a, node_type: media.source}, {id: b, node_type: \"n:B\", on_failure: restart}, {id: c, node_type: "
      "text.sink}]\n";
  // Once it is 2 MB, 23 chunks of 1 MiB and 12 KiB: 25.3 MB. The other output has chunks of two pages.
  EXPECT_EQ(
      ErrorsOf(nodes + R"(connections: [{from: a, to: b}, {from: b, to: c, expected_bytes: 1MiB}]
session: {shm_quota_mb: 52})"),
      "p.yaml:5:25: the edges need 53 MB of shared memory by their 'expected_bytes' and depths (b.out twice, as the "
      "old "
      "memory stays for a moment when a node restarts), but the session's 'shm_quota_mb' is 52: raise it, or lower "
      "those\n");
  PlanOf(nodes +
         "connections: [{from: a, to: b}, {from: b, to: c, expected_bytes: 1MiB}]\nsession: {shm_quota_mb: 53}");
  // 32 of 48 MB are b's: 16 for each of two, of which 2 are for the shared memory's own files.
  EXPECT_EQ(ErrorsOf(nodes + R"(connections: [{from: a, to: b}, {from: b, to: c, max_message_bytes: 15MiB}]
session: {shm_quota_mb: 48})"),
            "p.yaml:4:69: 'max_message_bytes' is 15 MiB, but output b.out gets 32 MiB of the session's shared memory, "
            "half of it kept for when its node restarts: raise 'shm_quota_mb' or lower this\n");
}

TEST(Plan, ADefaultThatDoesNotFitIsAWarning) {
  const auto plan = PlanOf(R"(nodes: [{id: a, node_type: media.source}, {id: b, node_type: text.sink}]
connections: [{from: a, to: b}]
session: {shm_quota_mb: 16})");

  EXPECT_THAT(plan.warnings, testing::ElementsAre(testing::HasSubstr("do not fit into the shared memory of a.out")));
}

TEST(Plan, ProcessPlacementKeepsThePackagesAndSaysWhatIsLost) {
  const auto pipeline = Parsed(R"(
nodes:
  - id: a
    node_type: nodes.a:A
    docker: {python_version: "3.10", base_image: team/x, system_dependencies: [ffmpeg], python_packages: [numpy], env: {A: b}}
)");

  const auto plan = MakePlan(pipeline, kHost, PlacementOverride::kProcess);

  ASSERT_TRUE(plan);
  const auto& node = plan->nodes.at(0);
  EXPECT_EQ(node.placement, Placement::kProcess);
  EXPECT_FALSE(node.container);
  EXPECT_EQ(node.environment->python_version, "3.10");
  EXPECT_EQ(node.environment->python_packages, (std::vector<manifest::PythonPackage>{{"numpy", false}}));
  EXPECT_EQ(node.env.at("A"), "b");
  EXPECT_THAT(node.notes, testing::Contains(testing::HasSubstr("no limits")));
  EXPECT_THAT(node.notes, testing::Contains(testing::HasSubstr("'team/x' is not used")));
  EXPECT_THAT(node.notes, testing::Contains(testing::HasSubstr("system packages")));
}

TEST(Plan, RunsContainersAsTheUserWhoCanWriteTheSharedMemory) {
  const auto pipeline = Parsed("nodes: [{id: a, node_type: \"m:N\", docker: {python_version: \"3.11\"}}]");

  const auto plan =
      MakePlan(pipeline,
               {.cpus = 2, .memory_bytes = 1ULL << 40, .native_nodes = {}, .container_uid = 4242, .container_gid = 100},
               PlacementOverride::kAsDeclared);

  ASSERT_TRUE(plan) << manifest::RenderErrors(plan.error());
  EXPECT_EQ(plan->nodes[0].container->rights.uid, 4242U);
  EXPECT_EQ(plan->nodes[0].container->rights.gid, 100U);
}

RC_GTEST_PROP(PlanProperty, IsConsistentForAnyPipeline, ()) {
  const auto pipeline = manifest::GeneratePipeline();

  // A thousand ports of a mebibyte each would not fit; the generator's seven always do.
  const auto plan =
      MakePlan(pipeline, {.cpus = 2, .memory_bytes = 1ULL << 40, .native_nodes = {}}, PlacementOverride::kAsDeclared);
  if (!plan) RC_FAIL(manifest::RenderErrors(plan.error()));

  RC_ASSERT(plan->edges.size() == pipeline.connections.size());
  std::uint64_t shared = 0;
  std::set<std::string> services;
  for (const auto& output : plan->outputs) {
    shared += output.realm_bytes;
    RC_ASSERT(services.insert(ServiceName(output, "s")).second);
    RC_ASSERT(output.realm_bytes >= output.segments * output.slots * output.expected_bytes);
    for (const auto index : output.edges) {
      const auto& edge = plan->edges[index];
      RC_ASSERT(edge.from.node == output.port.node && edge.from.port == output.port.port);
      RC_ASSERT(output.buffer >= edge.depth && output.max_held > edge.max_held);
      RC_ASSERT(edge.policy != manifest::Policy::kBlock || output.history >= edge.depth);
    }
  }
  RC_ASSERT(shared <= plan->shm_quota_bytes);

  std::vector<std::size_t> place(plan->nodes.size());
  RC_ASSERT(plan->start_order.size() == plan->nodes.size());
  for (std::size_t order = 0; order < place.size(); ++order) place[plan->start_order[order]] = order;
  const auto index_of = [&](const std::string& id) {
    return static_cast<std::size_t>(std::ranges::find(plan->nodes, id, &Node::id) - plan->nodes.begin());
  };
  for (const auto& edge : plan->edges) RC_ASSERT(place[index_of(edge.to.node)] < place[index_of(edge.from.node)]);

  const auto again =
      MakePlan(pipeline, {.cpus = 2, .memory_bytes = 1ULL << 40, .native_nodes = {}}, PlacementOverride::kAsDeclared);
  RC_ASSERT(ToJson(*again) == ToJson(*plan));
}

}  // namespace
}  // namespace penstock::plan
