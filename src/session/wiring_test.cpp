#include "session/wiring.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "manifest/load.h"

namespace penstock::session {
namespace {

constexpr const char* kManifest = R"(
version: v1
metadata: {name: test}
nodes:
  - {id: camera, node_type: "nodes:Camera"}
  - {id: detect, node_type: "nodes:Detect"}
  - {id: track, node_type: "nodes:Track", on_failure: restart}
  - {id: show, node_type: "nodes:Show"}
connections:
  - {from: camera, to: detect}
  - {from: camera, to: show, to_input: frames}
  - {from: detect, from_output: boxes, to: track, depth: 3}
  - {from: detect, from_output: stats, to: show, to_input: stats, policy: latest}
)";
constexpr const char* kSession = "0190163d-8694-739b-aea5-966c26f8ad91";

auto MakePlan() -> plan::Plan {
  const auto pipeline = manifest::Parse(kManifest, "test.yaml", "/");
  return plan::MakePlan(pipeline.value(), {.cpus = 4, .memory_bytes = 8ULL << 30U, .native_nodes = {}},
                        plan::PlacementOverride::kAsDeclared)
      .value();
}

TEST(Wiring, NamesChannelsBySessionNodeAndPort) {
  const auto plan = MakePlan();
  const auto wiring = Wiring::Make(plan, kSession, 400).value();
  EXPECT_EQ(wiring.ConfigureFor(plan, 0).outputs.at(0).service, std::string(kSession) + "_camera_output");
  const auto detect = wiring.ConfigureFor(plan, 1);
  EXPECT_EQ(detect.inputs.at(0).service, std::string(kSession) + "_camera_output");
  EXPECT_EQ(detect.outputs.at(0).service, std::string(kSession) + "_detect_output.boxes");
  EXPECT_EQ(detect.outputs.at(1).service, std::string(kSession) + "_detect_output.stats");
}

TEST(Wiring, HandsAWorkerOnlyTheRealmsOfItsOwnEdges) {
  const auto plan = MakePlan();
  const auto wiring = Wiring::Make(plan, kSession, 400).value();
  const auto numbers = [&](std::size_t node) {
    std::vector<int> held;
    for (const auto& realm : wiring.ConfigureFor(plan, node).realms) held.push_back(realm.number);
    std::ranges::sort(held);
    return held;
  };
  EXPECT_EQ(numbers(0).size(), 1U);  // camera's own output, read by two
  EXPECT_EQ(numbers(1).size(), 3U);
  EXPECT_EQ(numbers(2).size(), 1U);
  EXPECT_EQ(numbers(3).size(), 2U);
}

TEST(Wiring, GivesBothEndsOfAnEdgeTheSameNumberControlBlockAndSettings) {
  const auto plan = MakePlan();
  const auto wiring = Wiring::Make(plan, kSession, 400).value();
  const auto detect = wiring.ConfigureFor(plan, 1);
  const auto track = wiring.ConfigureFor(plan, 2);
  const auto& output = detect.outputs.at(0);
  const auto& input = track.inputs.at(0);
  EXPECT_EQ(input.realm, output.realm);
  EXPECT_EQ(input.edge.control, output.edges.at(0).control);
  EXPECT_EQ(input.edge.bell, detect.bell);
  EXPECT_EQ(output.edges.at(0).bell, track.bell);
  EXPECT_EQ(std::tuple(input.history, input.buffer, input.max_held),
            std::tuple(output.history, output.buffer, output.max_held));
  EXPECT_EQ(wiring.edge(2).contract().depth, 3U);
}

TEST(Wiring, HandsEveryWorkerOfANodeThatIsRestartedTheSameMemoryForItsState) {
  const auto plan = MakePlan();
  const auto wiring = Wiring::Make(plan, kSession, 400).value();
  EXPECT_FALSE(wiring.ConfigureFor(plan, 1).restart);
  const auto first = wiring.ConfigureFor(plan, 2, 0);
  ASSERT_TRUE(first.restart);
  EXPECT_TRUE(base::HasSealedSize(base::UniqueFd(::dup(first.restart->state))));
  EXPECT_EQ(wiring.ConfigureFor(plan, 2, 1).restart->state, first.restart->state);
}

}  // namespace
}  // namespace penstock::session
