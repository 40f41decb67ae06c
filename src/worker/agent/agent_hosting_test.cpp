// Processes that serve several sessions, from the agent's side. The process is a script that speaks the link by hand.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "worker/agent/agent_client.h"

namespace penstock::worker::agent {
namespace {

// Reads one packet at a time from the link and says on the session's own stdout what came.
constexpr const char* kPrelude = R"(
import json, os, socket, sys, time
link = socket.socket(fileno=int(os.environ["PENSTOCK_AGENT_LINK"]))
def say(type, **more): link.send(json.dumps({"v": 1, "type": type, **more}).encode())
def next():
    data, fds, *_ = socket.recv_fds(link, 65536, 8)
    return json.loads(data) if data else sys.exit(3), fds
print("pid", os.getpid(), flush=True)
)";
constexpr const char* kServe = R"(
say("shared")
while True:
    packet, fds = next()
    if packet["type"] == "join":
        os.write(fds[0], b"joined as %d of %d\n" % (packet["number"], os.getpid()))
        for fd in fds: os.close(fd)
    else:
        print("end", packet["number"], flush=True)
        say("left", number=packet["number"], code=70, keeps=False)
)";

class Hosting : public testing::Test {
 protected:
  auto Script(std::uint64_t id, const std::string& script, const std::string& key = "k") const -> Spawn {
    return {.id = id,
            .argv = {"python3", "-u", "-c", kPrelude + script},
            .env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}},
            .cwd = "/",
            .targets = {kStdout, kStderr, kControl, kRecords},
            .fds = {},
            .share = key};
  }
  // Returns the read end of its standard output.
  auto Start(Spawn spawn) -> base::UniqueFd {
    auto out = NewPipe();
    const auto other = NewPipe();
    spawn.fds = {out.write.get(), other.write.get(), other.write.get(), other.write.get()};
    client_.SpawnRaw(spawn);
    return std::move(out.read);
  }
  void KillSession(std::uint64_t id) {
    ASSERT_TRUE(Send(client_.socket(), ToAgent(Kill{.id = id, .signal = SIGKILL})));
  }
  void SpawnTrue(std::uint64_t id) {
    client_.SpawnRaw(
        {.id = id, .argv = {"true"}, .env = {{"PATH", "/usr/bin:/bin"}}, .cwd = "/", .targets = {}, .fds = {}});
    EXPECT_EQ(client_.Next<Spawned>().id, id);
    EXPECT_EQ(client_.Next<Exited>().id, id);
  }
  // One that serves, with the session 1 in it.
  void StartHost() {
    host_out_ = Start(Script(1, kServe));
    client_.Next<Spawned>(&pidfd_);
    pid_ = ReadLine(host_out_).substr(4);
  }

  std::unique_ptr<AgentProcess> agent_;
  Client client_ = Client::OnHost(agent_);
  base::UniqueFd host_out_;
  base::UniqueFd pidfd_;
  std::string pid_;
};

TEST_F(Hosting, ALaterSpawnOfTheKeyJoinsTheProcess) {
  StartHost();
  const auto out = Start(Script(2, kServe));
  base::UniqueFd pidfd;
  EXPECT_EQ(std::to_string(client_.Next<Spawned>(&pidfd).pid), pid_);
  EXPECT_EQ(ReadLine(out), "joined as 1 of " + pid_);
  EXPECT_EQ(ReadAll(out), "");  // the agent keeps no copy
}

TEST_F(Hosting, AnotherKeyIsAnotherProcess) {
  StartHost();
  const auto out = Start(Script(2, kServe, "other"));
  client_.Next<Spawned>();
  EXPECT_NE(ReadLine(out), "pid " + pid_);
}

TEST_F(Hosting, SpawnsWaitUntilTheProcessHasDecided) {
  const auto go = NewPipe();
  auto first = Script(1, "os.read(os.open(os.environ['GO'], os.O_RDONLY), 1)" + std::string(kServe));
  first.env["GO"] = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(go.read.get());
  const auto host = Start(first);
  client_.Next<Spawned>();
  const auto pid = ReadLine(host).substr(4);
  const auto second = Start(Script(2, kServe));
  const auto third = Start(Script(3, kServe));
  SpawnTrue(9);  // answered first: the others wait
  ASSERT_EQ(::write(go.write.get(), "x", 1), 1);
  EXPECT_EQ(client_.Next<Spawned>().id, 2U);
  EXPECT_EQ(client_.Next<Spawned>().id, 3U);
  EXPECT_EQ(ReadLine(second), "joined as 1 of " + pid);
  EXPECT_EQ(ReadLine(third), "joined as 2 of " + pid);
}

TEST_F(Hosting, AProcessThatIsItsSessionsOwnIsNotJoined) {
  const auto first = Start(Script(1, "say('own'); time.sleep(1000)"));
  client_.Next<Spawned>();
  const auto pid = ReadLine(first);
  const auto second = Start(Script(2, "say('own'); time.sleep(1000)"));
  client_.Next<Spawned>();
  // Known by now: it has no link.
  EXPECT_EQ(ReadAll(second), "");
  EXPECT_EQ(client_.Next<Exited>().id, 2U);
}

TEST_F(Hosting, WhatWaitsForAProcessThatEndsUndecidedStartsOneOfItsOwn) {
  const auto first = Start(Script(1, "print(next(), flush=True)"));
  client_.Next<Spawned>(&pidfd_);
  const auto pid = ReadLine(first);
  const auto second = Start(Script(2, kServe));
  SpawnTrue(9);  // answered first: 2 waits
  ASSERT_EQ(::kill(std::stoi(pid.substr(4)), SIGKILL), 0);
  // In either order: the link and the keeper tell of its end.
  std::set<std::uint64_t> exited;
  std::set<std::uint64_t> spawned;
  for (int i = 0; i < 2; ++i) {
    const auto told = ParseFromAgent(client_.socket().Receive(base::Deadline::In(kWatchdog)).value()).value();
    if (const auto* end = std::get_if<Exited>(&told.message)) exited.insert(end->id);
    if (const auto* start = std::get_if<Spawned>(&told.message)) spawned.insert(start->id);
  }
  EXPECT_THAT(exited, testing::ElementsAre(1));
  EXPECT_THAT(spawned, testing::ElementsAre(2));
  EXPECT_NE(ReadLine(second), pid);
}

TEST_F(Hosting, ASessionThatIsEndedWhileItWaitsDoesNotStart) {
  const auto host = Start(Script(1, "next()"));
  client_.Next<Spawned>();
  const auto out = Start(Script(2, kServe));
  SpawnTrue(9);  // answered first: 2 waits
  KillSession(2);
  const auto exited = client_.Next<Exited>();
  EXPECT_EQ(exited.id, 2U);
  EXPECT_EQ(exited.signal, SIGKILL);
  EXPECT_EQ(ReadAll(out), "");
}

TEST_F(Hosting, ASessionThatLeavesIsTheOnlyOneThatIsToldSo) {
  StartHost();
  const auto out = Start(Script(2, kServe));
  client_.Next<Spawned>();
  KillSession(1);
  EXPECT_EQ(ReadLine(host_out_), "end 0");
  const auto exited = client_.Next<Exited>();
  EXPECT_EQ(exited.id, 1U);
  EXPECT_EQ(exited.code, 70);
  const auto again = Start(Script(3, kServe));
  EXPECT_EQ(client_.Next<Spawned>().id, 3U);
  EXPECT_EQ(ReadLine(again), "joined as 2 of " + pid_);
}

TEST_F(Hosting, ASessionThatComesWhileAnotherIsEndedJoinsWhenThatOneHasLeft) {
  const auto go = NewPipe();
  auto first = Script(1, R"(
say("shared")
while True:
    packet, fds = next()
    if packet["type"] == "join":
        os.write(fds[0], b"joined as %d of %d\n" % (packet["number"], os.getpid()))
    else:
        print("end", packet["number"], flush=True)
        os.read(os.open(os.environ["GO"], os.O_RDONLY), 1)
        say("left", number=packet["number"], code=70, keeps=False)
)");
  first.env["GO"] = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(go.read.get());
  host_out_ = Start(first);
  client_.Next<Spawned>();
  pid_ = ReadLine(host_out_).substr(4);
  const auto second = Start(Script(2, kServe));
  EXPECT_EQ(client_.Next<Spawned>().id, 2U);
  KillSession(1);
  EXPECT_EQ(ReadLine(host_out_), "end 0");
  const auto third = Start(Script(3, kServe));
  SpawnTrue(9);  // answered first: 3 waits
  ASSERT_EQ(::write(go.write.get(), "x", 1), 1);
  EXPECT_EQ(client_.Next<Exited>().id, 1U);
  EXPECT_EQ(client_.Next<Spawned>().id, 3U);
  EXPECT_EQ(ReadLine(third), "joined as 2 of " + pid_);
}

TEST_F(Hosting, ASessionThatWaitsForAStuckOneGetsAnotherProcess) {
  host_out_ = Start(Script(1, "say('shared')\nwhile True: print(next()[0]['type'], flush=True)"));
  client_.Next<Spawned>(&pidfd_);
  const auto pid = ReadLine(host_out_);
  const auto second = Start(Script(2, kServe));
  EXPECT_EQ(client_.Next<Spawned>().id, 2U);
  KillSession(1);
  const auto third = Start(Script(3, kServe));
  EXPECT_EQ(client_.Next<Spawned>().id, 3U);
  EXPECT_NE(ReadLine(third), pid);
  KillSession(2);  // the last one that was not stuck
  EXPECT_TRUE(Ended(pidfd_));
}

TEST_F(Hosting, AProcessThatKeepsSomethingOfASessionGetsNoFurtherOne) {
  host_out_ = Start(Script(1, R"(
say("shared")
while True:
    packet, fds = next()
    if packet["type"] == "end": say("left", number=packet["number"], code=70, keeps=True)
)"));
  client_.Next<Spawned>(&pidfd_);
  const auto pid = ReadLine(host_out_);
  const auto second = Start(Script(2, kServe));
  EXPECT_EQ(client_.Next<Spawned>().id, 2U);
  KillSession(1);
  EXPECT_EQ(client_.Next<Exited>().code, 70);
  const auto third = Start(Script(3, kServe));
  EXPECT_EQ(client_.Next<Spawned>().id, 3U);
  EXPECT_NE(ReadLine(third), pid);
  KillSession(2);
  EXPECT_EQ(client_.Next<Exited>().id, 2U);
  EXPECT_TRUE(Ended(pidfd_));
}

TEST_F(Hosting, ACrashIsToldToEverySession) {
  StartHost();
  const auto out = Start(Script(2, kServe));
  client_.Next<Spawned>();
  EXPECT_EQ(ReadLine(out), "joined as 1 of " + pid_);
  ASSERT_EQ(::kill(std::stoi(pid_), SIGSEGV), 0);
  for (const std::uint64_t id : {1U, 2U}) {
    const auto exited = client_.Next<Exited>();
    EXPECT_EQ(exited.id, id);
    EXPECT_EQ(exited.signal, SIGSEGV);
    EXPECT_EQ(exited.others, 1U);
  }
}

TEST_F(Hosting, AProcessWithoutSessionsEndsWithTheAgent) {
  StartHost();
  client_.socket().Close();
  EXPECT_EQ(agent_->Wait(), 0);
  EXPECT_TRUE(Ended(pidfd_));
}

TEST_F(Hosting, AnIdleProcessMakesRoomForAnotherKey) {
  StartHost();
  KillSession(1);
  EXPECT_EQ(client_.Next<Exited>().id, 1U);
  const auto out = Start(Script(2, kServe, "other"));
  client_.Next<Spawned>();
  EXPECT_TRUE(Ended(pidfd_));
}

TEST_F(Hosting, AProcessInWhichOnlyStuckSessionsAreLeftIsEndedAfterTheirGrace) {
  host_out_ = Start(Script(1, "say('shared')\nwhile True: print(next()[0]['type'], flush=True)"));
  client_.Next<Spawned>(&pidfd_);
  const auto pid = ReadLine(host_out_);
  const auto second = Start(Script(2, kServe));
  client_.Next<Spawned>();
  KillSession(1);
  KillSession(2);
  EXPECT_EQ(client_.Next<Exited>().signal, SIGKILL);
  EXPECT_EQ(client_.Next<Exited>().signal, SIGKILL);
  EXPECT_TRUE(Ended(pidfd_));
  const auto third = Start(Script(3, kServe));
  client_.Next<Spawned>();
  EXPECT_NE(ReadLine(third), pid);
}

// What a process may say wrongly; each ends it, and its sessions are told.
struct Hostile {
  const char* name;
  const char* script;
};
void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.name; }
class HostileHost : public Hosting, public testing::WithParamInterface<Hostile> {};

TEST_P(HostileHost, IsEndedAndItsSessionsAreTold) {
  const auto out = Start(Script(1, std::string(GetParam().script) + "\ntime.sleep(1000)"));
  client_.Next<Spawned>();
  const auto exited = client_.Next<Exited>();
  EXPECT_EQ(exited.id, 1U);
  EXPECT_EQ(exited.signal, SIGKILL);
  const auto next = Start(Script(2, kServe));
  EXPECT_EQ(client_.Next<Spawned>().id, 2U);
}

INSTANTIATE_TEST_SUITE_P(
    Packets, HostileHost,
    testing::Values(
        Hostile{"Nonsense", "link.send(b'nonsense')"}, Hostile{"SharedTwice", "say('shared'); say('shared')"},
        Hostile{"OwnAfterShared", "say('shared'); say('own')"},
        Hostile{"LeftBeforeShared", "say('left', number=0, code=0, keeps=False)"},
        Hostile{"LeftUnknown", "say('shared'); say('left', number=7, code=0, keeps=False)"},
        Hostile{"LeftWithoutSayingWhatItKeeps", "say('shared'); say('left', number=0, code=0)"},
        Hostile{"LeftNegative", "say('shared'); say('left', number=-1, code=0, keeps=False)"},
        Hostile{"LargeCode", "say('shared'); say('left', number=0, code=700, keeps=False)"},
        Hostile{"UnknownType", "say('shared'); say('surprise')"}, Hostile{"ClosedLink", "say('shared'); link.close()"},
        Hostile{
            "WithADescriptor",
            R"(say('shared'); socket.send_fds(link, [b'{"v":1,"type":"left","number":0,"code":0,"keeps":false}'], [1]))"}),
    [](const auto& tried) { return std::string(tried.param.name); });

TEST_F(Hosting, ARequestWithAKeyHasTheFourDescriptorsOfAWorker) {
  auto spawn = Script(1, kServe);
  spawn.targets = {};
  client_.SpawnRaw(spawn);
  EXPECT_THAT(client_.Next<SpawnFailed>().error, testing::HasSubstr("targets 1, 2, 3 and 4"));
}

}  // namespace
}  // namespace penstock::worker::agent
