#include "session/settlement.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "manifest/load.h"
#include "transport/doorbell.h"

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
  - {from: camera, to: detect}
  - {from: camera, to: show}
)";
constexpr std::size_t kCamera = 0;

auto MakePlan() -> plan::Plan {
  const auto pipeline = manifest::Parse(kManifest, "test.yaml", "/");
  return plan::MakePlan(pipeline.value(), {.cpus = 4, .memory_bytes = 8ULL << 30U, .native_nodes = {}},
                        plan::PlacementOverride::kAsDeclared)
      .value();
}

// Sleeps at its bell like an input port until a message is there, and handles it.
class Sleeper {
 public:
  Sleeper(const Wiring& wiring, std::size_t edge)
      : block_(*wiring.edge(edge).operator->()),
        bell_(wiring.doorbell(wiring.consumer_of(edge)).arrivals()),
        producer_(wiring.doorbell(kCamera).credit()) {}

  // Looks for the last time before it sleeps with no message there.
  void AwaitSleep() const {
    while (looks_.load() < 2) std::this_thread::yield();
  }
  void Publish() {
    block_.reserved.store(1);
    block_.published.store(1);
    there_.store(true);
  }
  void End() {
    there_.store(true);
    bell_.Ring();
  }

 private:
  void Run() {
    transport::WaitAt(bell_, base::Deadline::Never(), 0, [this] {
      ++looks_;
      return there_.load();
    });
    block_.taken.store(1);
    block_.acked.store(1);
    producer_.Ring();
  }

  transport::ControlLayout& block_;
  transport::Bell& bell_;
  transport::Bell& producer_;
  std::atomic<bool> there_{false};
  std::atomic<int> looks_{0};
  std::jthread thread_{[this] { Run(); }};
};

TEST(Settlement, WakesConsumersWhomTheDeadProducerHadNoTimeToRing) {
  const auto plan = MakePlan();
  const auto wiring = Wiring::Make(plan, "0190163d-8694-739b-aea5-966c26f8ad91", 400).value();
  Sleeper detect(wiring, 0);
  Sleeper show(wiring, 1);
  for (auto* consumer : {&detect, &show}) {
    consumer->AwaitSleep();
    consumer->Publish();
  }

  Settlement settlement(
      plan, wiring, kCamera,
      {{.edge = 0, .consumer = wiring.consumer_of(0)}, {.edge = 1, .consumer = wiring.consumer_of(1)}}, {});
  std::string waits_for;
  const auto settled = settlement.Run([&](const std::string& edges) {
    waits_for = edges;
    settlement.Stop();
  });

  EXPECT_TRUE(settled) << settled.error().ToString();
  EXPECT_EQ(waits_for, "");
  for (auto* consumer : {&detect, &show}) consumer->End();
}

}  // namespace
}  // namespace penstock::session
