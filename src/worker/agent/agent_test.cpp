// Starting workers: what they are given, how their end is told, what is refused.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/agent/agent_client.h"

namespace penstock::worker::agent {
namespace {
using testing::HasSubstr;

class AgentOnHost : public testing::Test {
 protected:
  std::unique_ptr<AgentProcess> agent_;
  Client client_ = Client::OnHost(agent_);
  Pipe pipe_ = NewPipe();
};

TEST_F(AgentOnHost, GivesAWorkerExactlyTheDescriptorsAndEnvironmentThatWereSent) {
  const auto other = NewPipe();
  // The source numbers collide with the targets on purpose: 1 and 7 are crossed where possible.
  client_.SpawnRaw(
      {.id = 1,
       .argv = {"python3", "-c",
                "import os,sys\n"
                "print(sorted(int(f) for f in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/'+f)))\n"
                "print(sorted(os.environ.items()), os.getcwd(), os.getsid(0) == os.getpid())\n"
                "os.write(7, b'seven')\n"},
       .env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LC_CTYPE", "C.UTF-8"}, {"GREETING", "a=b c"}},
       .cwd = "/usr",
       .targets = {7, 1},
       .fds = {other.write.get(), pipe_.write.get()}});
  pipe_.write.reset();
  const auto spawned = client_.Next<Spawned>();
  EXPECT_GT(spawned.pid, 0);
  EXPECT_EQ(ReadLine(pipe_.read), "[0, 1, 2, 7]");
  EXPECT_EQ(ReadLine(pipe_.read),
            "[('GREETING', 'a=b c'), ('LC_CTYPE', 'C.UTF-8'), ('PATH', '/usr/local/bin:/usr/bin:/bin')] /usr True");
  EXPECT_EQ(client_.Next<Exited>().code, 0);
  std::string got(5, ' ');
  ASSERT_EQ(::read(other.read.get(), got.data(), 5), 5);
  EXPECT_EQ(got, "seven");
}

TEST_F(AgentOnHost, StartsAWorkerWithDefaultSignalsAndTheHardDescriptorLimit) {
  client_.SpawnShell(1, "grep -E '^Sig(Blk|Ign)' /proc/self/status; [ $(ulimit -Sn) = $(ulimit -Hn) ] && echo raised",
                     pipe_.write.get());
  pipe_.write.reset();
  client_.Next<Spawned>();
  EXPECT_EQ(ReadAll(pipe_.read), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nraised\n");
}

TEST_F(AgentOnHost, TellsExitCodeAndResourceUse) {
  client_.SpawnRaw(
      {.id = 5,
       .argv = {"python3", "-c", "x = bytearray(64 << 20)\nfor i in range(2000000): pass\nimport sys; sys.exit(42)"},
       .env = {{"PATH", "/usr/bin:/bin:/usr/local/bin"}},
       .cwd = "/",
       .targets = {},
       .fds = {}});
  client_.Next<Spawned>();
  const auto exited = client_.Next<Exited>();
  EXPECT_EQ(exited.id, 5U);
  EXPECT_EQ(exited.code, 42);
  EXPECT_FALSE(exited.signal);
  EXPECT_GE(exited.max_rss_kb, 64 << 10);
  EXPECT_GT(exited.user_ms + exited.system_ms, 0);
}

TEST_F(AgentOnHost, TellsTheSignalAndThatThereWasNoCore) {
  client_.SpawnShell(1, "ulimit -c 0; kill -SEGV $$", pipe_.write.get());
  base::UniqueFd pidfd;
  client_.Next<Spawned>(&pidfd);
  const auto exited = client_.Next<Exited>();
  EXPECT_EQ(exited.signal, SIGSEGV);
  EXPECT_FALSE(exited.code);
  EXPECT_FALSE(exited.core);
  EXPECT_TRUE(Ended(pidfd));
}

TEST_F(AgentOnHost, PassesSignalsOn) {
  client_.SpawnShell(1, "trap 'echo got it; exit 3' TERM; sleep 1000 & echo ready; wait", pipe_.write.get());
  client_.Next<Spawned>();
  EXPECT_EQ(ReadLine(pipe_.read), "ready");
  ASSERT_TRUE(Send(client_.socket(), ToAgent(Kill{.id = 1, .signal = SIGTERM})));
  EXPECT_EQ(ReadLine(pipe_.read), "got it");
  EXPECT_EQ(client_.Next<Exited>().code, 3);
}

TEST_F(AgentOnHost, AKillThatFollowsTheSpawnAtOnceIsNotLost) {
  client_.SpawnShell(1, "sleep 1000", pipe_.write.get());
  ASSERT_TRUE(Send(client_.socket(), ToAgent(Kill{.id = 1})));
  client_.Next<Spawned>();
  EXPECT_EQ(client_.Next<Exited>().signal, SIGKILL);
}

TEST_F(AgentOnHost, EndsWhatAWorkerLeavesBehindBeforeSayingThatItExited) {
  // A daemon in the classical way: two forks and a session of its own, holding the pipe.
  client_.SpawnShell(1, "setsid -f sh -c 'echo $$; setsid -f sleep 1000; sleep 1000; :'; exec sleep 1000",
                     pipe_.write.get());
  pipe_.write.reset();
  client_.Next<Spawned>();
  const auto daemon = OpenPidfd(std::stoi(ReadLine(pipe_.read)));
  ASSERT_TRUE(Send(client_.socket(), ToAgent(Kill{.id = 1})));
  EXPECT_EQ(client_.Next<Exited>().signal, SIGKILL);
  EXPECT_TRUE(Ended(daemon));
  EXPECT_EQ(ReadAll(pipe_.read), "");  // nobody holds it any more
}

TEST_F(AgentOnHost, SaysWhyAWorkerCannotBeStartedAndLivesOn) {
  const auto failure = [&](Spawn spawn) {
    client_.SpawnRaw(spawn);
    const auto failed = client_.Next<SpawnFailed>();
    EXPECT_EQ(failed.id, spawn.id);
    EXPECT_NE(failed.saved_errno, 0);
    return failed.error;
  };
  const int out = pipe_.write.get();
  EXPECT_EQ(failure({.id = 1, .argv = {"/no/such/program"}, .env = {}, .cwd = "/", .targets = {}, .fds = {}}),
            "cannot run '/no/such/program': No such file or directory");
  EXPECT_EQ(failure({.id = 2, .argv = {"/etc/passwd"}, .env = {}, .cwd = "/", .targets = {}, .fds = {}}),
            "cannot run '/etc/passwd': Permission denied");
  EXPECT_EQ(failure({.id = 3, .argv = {"/bin/true"}, .env = {}, .cwd = "/no/such/place", .targets = {}, .fds = {}}),
            "cannot enter the directory '/no/such/place': No such file or directory");
  EXPECT_THAT(failure({.id = 4, .argv = {}, .env = {}, .cwd = "/", .targets = {}, .fds = {}}),
              HasSubstr("argv is empty"));
  EXPECT_THAT(failure({.id = 5, .argv = {"true"}, .env = {}, .cwd = "tmp", .targets = {}, .fds = {}}),
              HasSubstr("not an absolute path"));
  EXPECT_THAT(failure({.id = 6, .argv = {"true"}, .env = {}, .cwd = "/", .targets = {1, 1}, .fds = {out, out}}),
              HasSubstr("given twice"));
  EXPECT_THAT(failure({.id = 7, .argv = {"true"}, .env = {}, .cwd = "/", .targets = {-1}, .fds = {out}}),
              HasSubstr("outside 0-255"));
  EXPECT_THAT(failure({.id = 8, .argv = {"true"}, .env = {{"A=B", ""}}, .cwd = "/", .targets = {}, .fds = {}}),
              HasSubstr("environment variable 'A=B'"));
  client_.SpawnShell(9, "exit 0", out);
  client_.Next<Spawned>();
  EXPECT_EQ(client_.Next<Exited>().code, 0);
}

TEST_F(AgentOnHost, RefusesAnIdThatIsRunningAndTakesItAgainAfterTheEnd) {
  client_.SpawnShell(1, "sleep 1000", pipe_.write.get());
  client_.Next<Spawned>();
  client_.SpawnShell(1, "exit 0", pipe_.write.get());
  EXPECT_THAT(client_.Next<SpawnFailed>().error, HasSubstr("running already"));
  ASSERT_TRUE(Send(client_.socket(), ToAgent(Kill{.id = 1})));
  EXPECT_EQ(client_.Next<Exited>().signal, SIGKILL);
  client_.SpawnShell(1, "exit 0", pipe_.write.get());
  client_.Next<Spawned>();
  EXPECT_EQ(client_.Next<Exited>().code, 0);
}

// With a limit of 128 descriptors for the agent, any leak would end this early.
TEST(Agent, AThousandWorkersLeaveNoDescriptorBehind) {
  constexpr std::uint64_t kAtATime = 20;
  std::unique_ptr<AgentProcess> agent;
  auto client = Client::OnHost(agent, /*descriptor_limit=*/128);
  const auto pipe = NewPipe();
  for (std::uint64_t round = 0; round < 50; ++round) {
    for (std::uint64_t i = 0; i < kAtATime; ++i) {
      client.SpawnRaw({.id = round * kAtATime + i,
                       .argv = {"/bin/true"},
                       .env = {},
                       .cwd = "/",
                       .targets = {1, 2},
                       .fds = {pipe.write.get(), pipe.write.get()}});
    }
    for (std::uint64_t left = 2 * kAtATime; left > 0; --left) {
      const auto received = ParseFromAgent(client.socket().Receive(base::Deadline::In(kWatchdog)).value()).value();
      const auto* failed = std::get_if<SpawnFailed>(&received.message);
      ASSERT_EQ(failed, nullptr) << failed->error;
    }
  }
  client.socket().Close();
  EXPECT_EQ(agent->Wait(), 0);
}

}  // namespace
}  // namespace penstock::worker::agent
