// A container's agent: it fetches its listener and serves leases until nobody wants one.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/uuid.h"
#include "worker/agent/agent_client.h"

namespace penstock::worker::agent {
namespace {
using base::Deadline;
using base::ErrorCode;
using base::PacketSocket;

class AgentBootstrap : public testing::Test {
 protected:
  AgentBootstrap() { std::filesystem::create_directory(directory_); }
  ~AgentBootstrap() override {
    std::filesystem::permissions(directory_, std::filesystem::perms::owner_all);
    std::filesystem::remove_all(directory_);
  }

  // Starts an agent and hands it the listener. Nothing below the directory can be written by then.
  auto Start() -> std::unique_ptr<AgentProcess> {
    const auto bootstrap = base::ListenPacket(directory_ / "bootstrap", 0666).value();
    ::chmod(directory_.c_str(), 0555);
    auto agent = std::make_unique<AgentProcess>(std::vector<std::string>{"--bootstrap", directory_ / "bootstrap"});
    const auto connection = base::AcceptPacket(bootstrap).value();
    EXPECT_TRUE(Send(connection, Listen{}, listener_.get()));
    return agent;
  }
  auto Connect() -> Client {
    return Client(PacketSocket::Connect(directory_ / "lease", Deadline::In(kWatchdog)).value());
  }

  std::filesystem::path directory_ = std::filesystem::temp_directory_path() / ("penstock-test-" + base::NewUuidV7());
  base::UniqueFd listener_ =
      (std::filesystem::create_directory(directory_), base::ListenPacket(directory_ / "lease", 0666).value());
};

TEST_F(AgentBootstrap, GrantsLeasesAndSaysWhereItRuns) {
  const auto agent = Start();
  auto client = Connect();
  const auto granted = client.TakeLease();
  EXPECT_EQ(granted.pid, agent->pid());
  EXPECT_EQ(granted.uid, ::getuid());
  EXPECT_FALSE(granted.architecture.empty());
  EXPECT_THAT(granted.glibc, testing::MatchesRegex("2\\.[0-9]+"));
}

TEST_F(AgentBootstrap, WorkersCannotLookIntoEachOther) {
  const auto agent = Start();
  auto client = Connect();
  if (client.TakeLease().landlock == 0) GTEST_SKIP() << "this kernel has no Landlock that workers could be put into";
  auto first_pipe = NewPipe();
  client.SpawnShell(1, "echo ready; exec sleep 1000", first_pipe.write.get());
  const auto first = client.Next<Spawned>();
  ASSERT_EQ(ReadLine(first_pipe.read), "ready");
  auto second_pipe = NewPipe();

  client.SpawnShell(2, fmt::format("readlink /proc/{}/cwd || echo closed; readlink /proc/self/cwd", first.pid),
                    second_pipe.write.get());
  second_pipe.write.reset();

  EXPECT_EQ(ReadAll(second_pipe.read), "closed\n/\n");
}

TEST_F(AgentBootstrap, LeasesAreIndependentAndTheEndOfOneEndsOnlyItsWorkers) {
  const auto agent = Start();
  auto first = Connect();
  auto second = Connect();
  first.TakeLease();
  second.TakeLease();
  auto first_pipe = NewPipe();
  auto second_pipe = NewPipe();
  first.SpawnShell(1, "setsid -f sleep 1000; echo first; exec sleep 1000", first_pipe.write.get());
  auto second_input = NewPipe();
  second.SpawnRaw({.id = 1,
                   .argv = {"/bin/sh", "-c", "echo second; read -r answer; echo $answer"},
                   .env = {},
                   .cwd = "/",
                   .targets = {0, 1},
                   .fds = {second_input.read.get(), second_pipe.write.get()}});
  EXPECT_EQ(ReadLine(first_pipe.read), "first");
  EXPECT_EQ(ReadLine(second_pipe.read), "second");
  first.socket().Close();
  first_pipe.write.reset();
  EXPECT_EQ(ReadAll(first_pipe.read), "");
  second.Next<Spawned>();
  ASSERT_EQ(::write(second_input.write.get(), "alive\n", 6), 6);
  EXPECT_EQ(ReadLine(second_pipe.read), "alive");
  EXPECT_EQ(second.Next<Exited>().code, 0);
}

TEST_F(AgentBootstrap, EndsWhenNoLeaseWasThereForTheGracePeriod) {
  const auto agent = Start();
  Connect().TakeLease({.session = "test", .keep_warm_ms = 1});
  EXPECT_EQ(agent->Wait(), 0);
  // Our copy of the listener is still open, but nobody is kept waiting by it.
  EXPECT_EQ(PacketSocket::Connect(directory_ / "lease", Deadline::In(kWatchdog)).error().code(), ErrorCode::kPeerGone);
}

TEST_F(AgentBootstrap, StaysForTheLongestThatAnyLeaseAskedFor) {
  const auto agent = Start();
  auto patient = Connect();
  auto brief = Connect();
  patient.TakeLease({.session = "patient", .keep_warm_ms = 60'000, .max_sessions = 2});
  brief.TakeLease({.session = "brief", .keep_warm_ms = 0, .max_sessions = 2});
  patient.socket().Close();
  brief.socket().Close();
  auto later = Connect();
  later.TakeLease({.session = "later", .keep_warm_ms = 0, .max_sessions = 1});
  later.socket().Close();
  auto curious = Connect();
  curious.AskStanding();
  const auto standing = curious.Next<Standing>();
  EXPECT_EQ(standing.sessions, 0U);
  EXPECT_GT(standing.stays_ms, 0);
  EXPECT_LE(standing.stays_ms, 60'000);
}

TEST_F(AgentBootstrap, TellsHowManySessionsItServes) {
  const auto agent = Start();
  auto first = Connect();
  auto second = Connect();
  first.TakeLease({.session = "a", .keep_warm_ms = 0, .max_sessions = 2});
  second.TakeLease({.session = "b", .keep_warm_ms = 0, .max_sessions = 2});
  first.AskStanding();
  EXPECT_EQ(first.Next<Standing>().sessions, 2U);
}

TEST_F(AgentBootstrap, EndsAtOnceWhenNobodyAskedItToStay) {
  const auto agent = Start();
  auto brief = Connect();
  brief.TakeLease({.session = "brief", .keep_warm_ms = 0, .max_sessions = 2});
  brief.socket().Close();
  EXPECT_EQ(agent->Wait(), 0);
}

TEST_F(AgentBootstrap, RefusesALeaseBeyondItsNumberOfSessionsAndServesTheOthers) {
  const auto agent = Start();
  auto first = Connect();
  auto second = Connect();
  auto third = Connect();
  first.TakeLease({.session = "a", .keep_warm_ms = 60'000, .max_sessions = 2});
  second.TakeLease({.session = "b", .keep_warm_ms = 60'000, .max_sessions = 2});
  third.Ask({.session = "c", .keep_warm_ms = 60'000, .max_sessions = 2});
  EXPECT_EQ(third.Next<Full>().sessions, 2U);
  EXPECT_EQ(third.socket().Receive(Deadline::In(kWatchdog)).error().code(), ErrorCode::kPeerGone);
  Connect().TakeLease({.session = "b", .keep_warm_ms = 60'000, .max_sessions = 2});  // a second one of the same session
  first.socket().Close();
  // The agent serves its sockets in no order: only the answer to a later request shows that it has seen the end.
  for (;;) {
    auto again = Connect();
    again.Ask({.session = "c", .keep_warm_ms = 60'000, .max_sessions = 2});
    const auto answer = ParseFromAgent(again.socket().Receive(Deadline::In(kWatchdog)).value()).value();
    if (std::holds_alternative<Granted>(answer.message)) break;
  }
}

// Connections that race with the expiry are granted or see the end: never left waiting.
TEST_F(AgentBootstrap, AnswersEveryConnectionDuringItsExpiryWithALeaseOrTheEnd) {
  for (int round = 0; round < 20; ++round) {
    std::filesystem::permissions(directory_, std::filesystem::perms::owner_all);
    listener_ = base::ListenPacket(directory_ / "lease", 0666).value();
    const auto agent = Start();
    Connect().TakeLease({.session = "test", .keep_warm_ms = 0});
    for (;;) {
      auto socket = PacketSocket::Connect(directory_ / "lease", Deadline::In(kWatchdog));
      if (!socket) {
        EXPECT_EQ(socket.error().code(), ErrorCode::kPeerGone) << socket.error().ToString();
        break;
      }
      static_cast<void>(Send(*socket, ToAgent(Lease{.session = "late", .keep_warm_ms = 0})));
      const auto answer = socket->Receive(Deadline::In(kWatchdog));
      if (!answer) {
        EXPECT_EQ(answer.error().code(), ErrorCode::kPeerGone) << answer.error().ToString();
      }
    }
    EXPECT_EQ(agent->Wait(), 0);
  }
}

TEST_F(AgentBootstrap, AConnectionThatNeverAsksForALeaseDoesNotKeepItAlive) {
  const auto agent = Start();
  auto silent = Connect();
  Connect().TakeLease({.session = "test", .keep_warm_ms = 1});
  EXPECT_EQ(silent.socket().Receive(Deadline::In(kWatchdog)).error().code(), ErrorCode::kPeerGone);
  EXPECT_EQ(agent->Wait(), 0);
}

TEST_F(AgentBootstrap, ARequestBeforeTheLeaseEndsTheConnectionOnly) {
  const auto agent = Start();
  auto client = Connect();
  ASSERT_TRUE(Send(client.socket(), ToAgent(Kill{.id = 1})));
  EXPECT_EQ(client.socket().Receive(Deadline::In(kWatchdog)).error().code(), ErrorCode::kPeerGone);
  Connect().TakeLease();
}

TEST_F(AgentBootstrap, TerminationEndsItInOrder) {
  const auto agent = Start();
  auto client = Connect();
  client.TakeLease();
  auto pipe = NewPipe();
  client.SpawnShell(1, "trap 'exit 4' TERM; sleep 1000 & echo ready; wait", pipe.write.get());
  client.Next<Spawned>();
  EXPECT_EQ(ReadLine(pipe.read), "ready");
  agent->Kill(SIGTERM);
  EXPECT_EQ(client.Next<Exited>().code, 4);
  EXPECT_EQ(agent->Wait(), 0);
}

TEST_F(AgentBootstrap, WithoutABootstrapSocketItSaysSoAndEnds) {
  AgentProcess agent({"--bootstrap", directory_ / "nothing"});
  EXPECT_EQ(agent.Wait(), 1 << 8);
}

// Refuses anybody but the user who handed out the listener. Needs root, to become somebody else.
TEST_F(AgentBootstrap, RefusesConnectionsOfOtherUsers) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  const auto agent = Start();
  ::chmod(directory_.c_str(), 0777);
  const auto result = NewPipe();
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(12345, 12345, 12345) != 0) ::_exit(1);
    const auto socket = PacketSocket::Connect(directory_ / "lease", Deadline::In(kWatchdog));
    const char outcome = socket && !socket->Receive(Deadline::In(kWatchdog)) ? 'r' : 'x';
    static_cast<void>(!::write(result.write.get(), &outcome, 1));
    ::_exit(0);
  }
  char outcome = 0;
  ASSERT_EQ(::read(result.read.get(), &outcome, 1), 1);
  EXPECT_EQ(outcome, 'r');
}

}  // namespace
}  // namespace penstock::worker::agent
