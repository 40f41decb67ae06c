#include "session/hearing.h"

#include <gtest/gtest.h>

namespace penstock::session {
namespace {

const worker::FromWorker kFailed = worker::Failed{};
const worker::FromWorker kReady = worker::Ready{};

/// A node whose worker has failed.
auto Replaced() -> NodeState {
  NodeState state;
  state.replacing = std::make_unique<Replacement>();
  return state;
}

/// … and whose successor has said hello.
auto Succeeded() -> NodeState {
  auto state = Replaced();
  state.replacing->ended = true;
  state.replacing->greeted = true;
  return state;
}

TEST(Hearing, AWorkerThatNobodyReplacesIsHeardToItsLastWord) {
  NodeState state;
  EXPECT_TRUE(IsHeard(state, kReady));
  state.exited = true;
  EXPECT_TRUE(IsHeard(state, kFailed));
}

TEST(Hearing, AWorkerThatIsBeingReplacedIsNotHeardAnyMore) {
  auto state = Replaced();
  EXPECT_FALSE(IsHeard(state, kFailed));
  EXPECT_FALSE(IsHeard(state, kReady));
  state.exited = true;
  EXPECT_FALSE(IsHeard(state, kFailed)) << "its end is known, but not yet seen to";
  state.replacing->ended = true;
  EXPECT_FALSE(IsHeard(state, kFailed)) << "there is no successor yet";
}

TEST(Hearing, ASuccessorIsHeard) {
  const auto state = Succeeded();
  EXPECT_TRUE(IsHeard(state, kReady));
  EXPECT_TRUE(IsHeard(state, kFailed));
}

TEST(Hearing, WhyASuccessorFailedIsHeardAlsoWhenItsEndWasToldFirst) {
  auto state = Succeeded();
  state.exited = true;
  EXPECT_TRUE(IsHeard(state, kFailed));
  EXPECT_FALSE(IsHeard(state, kReady)) << "it is not";
}

}  // namespace
}  // namespace penstock::session
