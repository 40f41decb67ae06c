// The end of leases and agents: nothing that was started through them survives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/agent/agent_client.h"

namespace penstock::worker::agent {
namespace {

// A worker with a daemon and a grandchild, all holding the pipe; prints one line when they are there.
constexpr const char* kTree = "setsid -f sleep 1000; sh -c 'setsid -f sleep 1000; echo ready; sleep 1000; :' ; :";

class AgentLease : public testing::Test {
 protected:
  // Returns when the whole tree is running.
  void StartTree(std::uint64_t id) {
    client_.SpawnShell(id, kTree, pipe_.write.get());
    client_.Next<Spawned>();
    EXPECT_EQ(ReadLine(pipe_.read), "ready");
  }
  // The pipe ends when its last holder does.
  void ExpectEverythingGone() {
    pipe_.write.reset();
    EXPECT_EQ(ReadAll(pipe_.read), "");
  }

  std::unique_ptr<AgentProcess> agent_;
  Client client_ = Client::OnHost(agent_);
  Pipe pipe_ = NewPipe();
};

TEST_F(AgentLease, ClosingItEndsAllItsTreesAndTheHostsAgent) {
  StartTree(1);
  StartTree(2);
  client_.socket().Close();
  ExpectEverythingGone();
  EXPECT_EQ(agent_->Wait(), 0);
}

TEST_F(AgentLease, ClosingItRightAfterASpawnLeavesNothing) {
  client_.SpawnShell(1, kTree, pipe_.write.get());
  client_.socket().Close();
  ExpectEverythingGone();
  EXPECT_EQ(agent_->Wait(), 0);
}

TEST_F(AgentLease, KillingTheAgentEndsAllTrees) {
  StartTree(1);
  StartTree(2);
  agent_->Kill(SIGKILL);
  ExpectEverythingGone();
  EXPECT_EQ(client_.socket().Receive(base::Deadline::In(kWatchdog)).error().code(), base::ErrorCode::kPeerGone);
}

TEST_F(AgentLease, KillingAKeeperEndsItsTreeAndIsReported) {
  client_.SpawnShell(1, "setsid -f sleep 1000; echo $PPID; exec sleep 1000", pipe_.write.get());
  client_.Next<Spawned>();
  const auto keeper = std::stoi(ReadLine(pipe_.read));
  ASSERT_EQ(::kill(keeper, SIGKILL), 0);
  EXPECT_EQ(client_.Next<Exited>().signal, SIGKILL);
  ExpectEverythingGone();
}

TEST_F(AgentLease, TerminatingTheAgentAsksWorkersToEndAndReportsThem) {
  client_.SpawnShell(1, "trap 'exit 7' TERM; sleep 1000 & echo ready; wait", pipe_.write.get());
  client_.Next<Spawned>();
  EXPECT_EQ(ReadLine(pipe_.read), "ready");
  agent_->Kill(SIGTERM);
  EXPECT_EQ(client_.Next<Exited>().code, 7);
  EXPECT_EQ(agent_->Wait(), 0);
  ExpectEverythingGone();
}

TEST_F(AgentLease, ASecondTerminationEndsWorkersThatDoNotListen) {
  client_.SpawnShell(
      1, "trap '' TERM; sh -c 'trap \"echo first\" TERM; echo ready; while :; do sleep 1000 & wait $!; done'",
      pipe_.write.get());
  client_.Next<Spawned>();
  EXPECT_EQ(ReadLine(pipe_.read), "ready");
  agent_->Kill(SIGTERM);
  // SIGTERM reaches the agent's loop twice only if the first one has been handled: a refused spawn shows that it was.
  for (;;) {
    client_.SpawnShell(2, "exit 0", pipe_.write.get());
    const auto answer = ParseFromAgent(client_.socket().Receive(base::Deadline::In(kWatchdog)).value()).value();
    if (std::holds_alternative<SpawnFailed>(answer.message)) break;
    client_.Next<Exited>();
  }
  agent_->Kill(SIGTERM);
  ExpectEverythingGone();
  EXPECT_EQ(agent_->Wait(), 0);
}

TEST_F(AgentLease, AMalformedRequestEndsTheLease) {
  StartTree(1);
  ASSERT_TRUE(client_.socket().Send("{}"));
  EXPECT_EQ(client_.socket().Receive(base::Deadline::In(kWatchdog)).error().code(), base::ErrorCode::kPeerGone);
  ExpectEverythingGone();
  EXPECT_EQ(agent_->Wait(), 0);
}

TEST(Agent, IsDeafToATerminalsInterrupt) {
  std::unique_ptr<AgentProcess> agent;
  auto client = Client::OnHost(agent);
  agent->Kill(SIGINT);
  agent->Kill(SIGHUP);
  const auto pipe = NewPipe();
  client.SpawnShell(1, "exit 0", pipe.write.get());
  client.Next<Spawned>();
  EXPECT_EQ(client.Next<Exited>().code, 0);
}

}  // namespace
}  // namespace penstock::worker::agent
