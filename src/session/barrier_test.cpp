#include "session/barrier.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>

namespace penstock::session {
namespace {

// Nodes 0…count-1 and edges (producer, consumer); every node has one output when anything reads it.
auto MakePlan(std::size_t count, const std::vector<std::pair<std::size_t, std::size_t>>& edges) -> plan::Plan {
  plan::Plan plan;
  plan.nodes.resize(count);
  for (const auto& [producer, consumer] : edges) {
    if (plan.nodes[producer].outputs.empty()) {
      plan.nodes[producer].outputs.push_back(plan.outputs.size());
      plan.outputs.emplace_back();
    }
    plan::Edge edge;
    edge.output = plan.nodes[producer].outputs.front();
    plan.nodes[consumer].inputs.push_back(plan.edges.size());
    plan.edges.push_back(edge);
  }
  return plan;
}

TEST(AttachBarrier, OpensAnInputOnlyWhenItsProducerHasOpened) {
  AttachBarrier barrier(MakePlan(2, {{0, 1}}));
  EXPECT_TRUE(barrier.OutputsOpen(1).empty());
  const auto commands = barrier.OutputsOpen(0);
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_TRUE(std::ranges::all_of(
      commands, [](const auto& command) { return command.step == AttachBarrier::Step::kOpenInputs; }));
}

TEST(AttachBarrier, PassesOnlyWhenEveryNodeIsConnectedAndReady) {
  AttachBarrier barrier(MakePlan(2, {{0, 1}}));
  barrier.Connected(0);
  barrier.Ready(0);
  barrier.Connected(1);
  EXPECT_FALSE(barrier.Passed());
  EXPECT_EQ(barrier.Missing(), std::vector<std::size_t>{1});
  barrier.Ready(1);
  EXPECT_TRUE(barrier.Passed());
}

TEST(AttachBarrier, ANodeThatIsReplacedOpensAgainAndTheOthersAreNotToldAgain) {
  AttachBarrier barrier(MakePlan(3, {{0, 1}, {1, 2}}));
  for (std::size_t node = 0; node < 3; ++node) {
    barrier.OutputsOpen(node);
    barrier.InputsOpen(node);
    barrier.Connected(node);
    barrier.Ready(node);
  }
  barrier.Replaced(1);
  EXPECT_FALSE(barrier.Passed(1));
  EXPECT_FALSE(barrier.reads(1));
  EXPECT_TRUE(barrier.Passed(0) && barrier.Passed(2));
  const auto opens = barrier.OutputsOpen(1);
  ASSERT_EQ(opens.size(), 1U);
  EXPECT_EQ(opens[0].node, 1U);
  EXPECT_EQ(opens[0].step, AttachBarrier::Step::kOpenInputs);
  const auto connects = barrier.InputsOpen(1);
  ASSERT_EQ(connects.size(), 1U);
  EXPECT_EQ(connects[0].node, 1U);
  EXPECT_EQ(connects[0].step, AttachBarrier::Step::kConnect);
}

TEST(AttachBarrier, NobodyWaitsForANodeThatIsLeftOut) {
  AttachBarrier barrier(MakePlan(3, {{0, 1}, {1, 2}}));
  for (std::size_t node = 0; node < 3; ++node) {
    barrier.OutputsOpen(node);
    barrier.InputsOpen(node);
  }
  barrier.Replaced(0);
  barrier.Replaced(1);
  barrier.OutputsOpen(0);
  EXPECT_TRUE(barrier.InputsOpen(0).empty());  // its consumer is not there yet
  const auto commands = barrier.LeftOut(1);
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].node, 0U);
  EXPECT_EQ(commands[0].step, AttachBarrier::Step::kConnect);
}

TEST(AttachBarrier, OfTwoNeighboursThatAreReplacedTheProducerWaitsForItsConsumer) {
  AttachBarrier barrier(MakePlan(2, {{0, 1}}));
  for (std::size_t node = 0; node < 2; ++node) {
    barrier.OutputsOpen(node);
    barrier.InputsOpen(node);
  }
  barrier.Replaced(0);
  barrier.Replaced(1);
  const auto opens = barrier.OutputsOpen(1);
  ASSERT_EQ(opens.size(), 1U);
  EXPECT_EQ(opens[0].node, 1U);
  EXPECT_EQ(opens[0].step, AttachBarrier::Step::kOpenInputs);
  EXPECT_EQ(barrier.OutputsOpen(0).size(), 1U) << "its own, and nothing to connect to yet";
}

// Whatever the graph and whoever is slow, every node gets both commands once, in an order that ports can open in.
TEST(AttachBarrier, BringsEveryGraphUpInWhateverOrderWorkersAnswer) {
  EXPECT_TRUE(rc::check([] {
    const auto count = *rc::gen::inRange<std::size_t>(1, 8);
    const auto index = rc::gen::inRange<std::size_t>(0, count);
    const auto edges =
        *rc::gen::container<std::vector<std::pair<std::size_t, std::size_t>>>(rc::gen::pair(index, index));
    AttachBarrier barrier(MakePlan(count, edges));
    std::set<std::size_t> outputs_open;
    std::set<std::size_t> inputs_open;
    std::set<std::size_t> connected;
    struct Answer {
      std::size_t node;
      bool outputs;
    };
    std::vector<Answer> pending;
    for (std::size_t i = 0; i < count; ++i) pending.push_back({i, true});
    while (!pending.empty()) {
      const auto next = *rc::gen::inRange<std::size_t>(0, pending.size());
      const auto answer = pending[next];
      pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(next));
      (answer.outputs ? outputs_open : inputs_open).insert(answer.node);
      for (const auto& command : answer.outputs ? barrier.OutputsOpen(answer.node) : barrier.InputsOpen(answer.node)) {
        if (command.step == AttachBarrier::Step::kOpenInputs) {
          for (const auto& [producer, consumer] : edges)
            RC_ASSERT(consumer != command.node || outputs_open.contains(producer));
          pending.push_back({command.node, false});
        } else {
          for (const auto& [producer, consumer] : edges)
            RC_ASSERT(producer != command.node || inputs_open.contains(consumer));
          RC_ASSERT(connected.insert(command.node).second);
        }
      }
    }
    RC_ASSERT(connected.size() == count);
  }));
}

}  // namespace
}  // namespace penstock::session
