// A session's view of shared memory into which somebody writes at random: whatever it reads there, it gets answers, and
// what it waits for ends.
#include <gtest/gtest.h>

#include <deque>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "manifest/load.h"
#include "session/account.h"
#include "session/handler_watch.h"
#include "session/settlement.h"
#include "transport/test_scribbler.h"

namespace penstock::session {
namespace {

constexpr const char* kManifest = R"(
version: v1
metadata: {name: test}
nodes:
  - {id: camera, node_type: "nodes:Camera"}
  - {id: detect, node_type: "nodes:Detect"}
  - {id: show, node_type: "nodes:Show"}
connections:
  - {from: camera, to: detect, depth: 2}
  - {from: camera, to: show, to_input: frames}
  - {from: detect, to: show, to_input: boxes, policy: latest}
)";

auto MakePlan() -> plan::Plan {
  const auto pipeline = manifest::Parse(kManifest, "test.yaml", "/");
  return plan::MakePlan(pipeline.value(), {.cpus = 4, .memory_bytes = 8ULL << 30U, .native_nodes = {}},
                        plan::PlacementOverride::kAsDeclared)
      .value();
}

/// Nodes of which nothing runs, wired as in a session.
class HostileSession : public testing::Test {
 protected:
  HostileSession() {
    for (const auto& node : plan_.nodes) nodes_.emplace_back().node = &node;
  }

  auto View() -> SessionView { return {.plan = plan_, .wiring = wiring_, .nodes = nodes_, .started = true}; }
  /// All that the workers of this session can write to.
  auto SharedMemory() -> std::vector<transport::testing::SharedBytes> {
    std::vector<transport::testing::SharedBytes> memory;
    for (std::size_t i = 0; i < plan_.edges.size(); ++i) {
      auto* block = wiring_.edge(i).operator->();
      memory.push_back(transport::testing::BytesOf(block, sizeof(*block)));
      memory.push_back(memory.back().first(offsetof(transport::ControlLayout, queue_wait)));
    }
    for (std::size_t i = 0; i < plan_.nodes.size(); ++i) {
      memory.push_back(transport::testing::BytesOf(&wiring_.doorbell(i).arrivals(), sizeof(transport::DoorbellLayout)));
    }
    return memory;
  }

  plan::Plan plan_ = MakePlan();
  Wiring wiring_ = Wiring::Make(plan_, "0190163d-8694-739b-aea5-966c26f8ad91", 400).value();
  std::deque<NodeState> nodes_;
};

TEST_F(HostileSession, ReportsAndWatchesWhateverTheBlocksSay) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    const transport::testing::Scribbler scribbler(SharedMemory(), seed);
    for (int i = 0; i < 100; ++i) {
      Report report;
      FillReport(View(), report);
      ASSERT_EQ(report.edges.size(), plan_.edges.size());
      for (std::size_t edge = 0; edge < plan_.edges.size(); ++edge)
        EXPECT_LE(report.edges[edge].stats.queued, plan_.edges[edge].depth) << "never more than there is room for";
      EXPECT_FALSE(ToJson(report).dump().empty());
      for (std::size_t node = 0; node < nodes_.size(); ++node) {
        const auto handler = HandlerOf(View(), node);
        for (const auto edge : handler.waits_at) EXPECT_LT(edge, plan_.edges.size());
        static_cast<void>(LookAtHandler(std::chrono::seconds(5), {.now_ns = handler.now_ns,
                                                                  .since_ns = handler.since_ns,
                                                                  .blocked_ns = handler.blocked_ns,
                                                                  .waiting_since_ns = handler.waiting_since_ns}));
        if (const auto held = InHandsOf(View(), node)) {
          EXPECT_LT(held->edge, plan_.edges.size());
        }
        static_cast<void>(EvidenceOf(View(), node));
      }
      EXPECT_FALSE(WaitingFor(View()).empty());
    }
  }
}

TEST_F(HostileSession, CountersAtTheirLargestAreRead) {
  for (std::size_t i = 0; i < plan_.edges.size(); ++i) {
    auto* block = wiring_.edge(i).operator->();
    for (auto* histogram : {&block->queue_wait, &block->handler, &block->overhead_cpu}) {
      histogram->counts[0] = std::numeric_limits<std::uint64_t>::max();
      static_cast<void>(histogram->Quantile(1.0));
      for (auto& count : histogram->counts) count = std::numeric_limits<std::uint64_t>::max();
      static_cast<void>(histogram->Quantile(1.0));
    }
  }
  Report report;
  FillReport(View(), report);
  EXPECT_FALSE(ToJson(report).dump().empty());
}

TEST_F(HostileSession, SettlingEndsWhenTheAwaitedConsumersAreGoneWhateverTheBlocksSay) {
  constexpr std::size_t kCamera = 0;
  for (unsigned seed = 1; seed <= 10; ++seed) {
    Settlement settlement(
        plan_, wiring_, kCamera,
        {{.edge = 0, .consumer = wiring_.consumer_of(0)}, {.edge = 1, .consumer = wiring_.consumer_of(1)}},
        base::UniqueFd());
    // Both have more than was handled, so that they are waited for until somebody writes something else.
    for (std::size_t edge = 0; edge < 2; ++edge) {
      wiring_.edge(edge)->acked.store(0);
      wiring_.edge(edge)->published.store(1);
    }
    const transport::testing::Scribbler scribbler(SharedMemory(), seed);
    base::Status settled = base::Fail(base::ErrorCode::kInternal, "not yet");
    std::jthread running([&] { settled = settlement.Run([](const std::string&) {}); });
    settlement.Gone(wiring_.consumer_of(0));
    settlement.Gone(wiring_.consumer_of(1));
    running.join();
    EXPECT_TRUE(settled) << settled.error().ToString();
  }
}

}  // namespace
}  // namespace penstock::session
