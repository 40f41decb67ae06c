#include "session/autopsy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace penstock::session {
namespace {
using std::chrono_literals::operator""ms;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::uint64_t kMebibyte = 1024 * 1024;

auto ContainerNode() -> plan::Node {
  plan::Node node;
  node.id = "asr";
  node.container = plan::ContainerSpec{};
  node.container->limits = {.memory_mb = 128, .cpu_cores = 0.1, .pids = 64};
  return node;
}

auto ProcessNode() -> plan::Node {
  plan::Node node;
  node.id = "asr";
  return node;
}

auto Signalled(int signal) -> worker::Exited {
  worker::Exited exited;
  exited.signal = signal;
  return exited;
}

auto WithCode(int code) -> worker::Exited {
  worker::Exited exited;
  exited.code = code;
  return exited;
}

auto FailedWith(std::string error, std::string message) -> worker::Failed {
  worker::Failed failed;
  failed.phase = "process";
  failed.error = std::move(error);
  failed.message = std::move(message);
  failed.traceback = "Traceback …";
  failed.edge = "vad.out->asr.in";
  failed.sequence = 17;
  return failed;
}

/// A container in which nothing happened, 2.3 s old, with a message in hand.
auto Quiet() -> Evidence {
  Evidence evidence;
  evidence.since_start = 2300ms;
  evidence.in_flight = InFlight{.edge = "vad.out->asr.in", .sequence = 3, .handling_ns = 12'340'000};
  evidence.host = {.oom_kills = 0, .total_bytes = 16000 * kMebibyte, .available_bytes = 9000 * kMebibyte, .stalled = 0};
  evidence.host_cores = 4;
  evidence.container = container::ContainerEvidence{};
  evidence.container->counters = container::Counters{
      .memory = container::MemoryCounters{.limit_bytes = 128 * kMebibyte, .peak_bytes = 40 * kMebibyte},
      .cpu = container::CpuCounters{.usage_ns = 1, .periods = 23, .throttled = 1, .throttled_ns = 1},
      .pids = container::PidsCounters{.limit = 64, .current = 9, .peak = 12}};
  return evidence;
}

auto OutOfMemory() -> Evidence {
  auto evidence = Quiet();
  auto& memory = *evidence.container->counters->memory;
  memory.peak_bytes = 128 * kMebibyte;
  memory.limit_hits = 312;
  memory.oom_kills = 1;
  return evidence;
}

TEST(Autopsy, OfAnOutputThatCannotBeWrittenIsTheEnvironmentsAndNoMessages) {
  auto failed = FailedWith("exhausted", "cannot write to '/data/out.jsonl': No space left on device (ENOSPC)");
  failed.phase = "output";
  const auto failure = FailureOf(ProcessNode(), failed, Quiet());
  EXPECT_EQ(failure.sentence,
            "node 'asr' failed by no fault of a message: cannot write to '/data/out.jsonl': No space left on device "
            "(ENOSPC)");
  EXPECT_TRUE(failure.environment);
}

TEST(Autopsy, OfAHandlersErrorNamesTheMessageAndKeepsTheTraceback) {
  const End end = FailedWith("ValueError", "no such word");
  EXPECT_EQ(Judge(end, Quiet()), Cause::kNode);
  const auto failure = FailureOf(ContainerNode(), end, Quiet());
  EXPECT_EQ(failure.sentence,
            "node 'asr' failed while handling message 17 of edge vad.out->asr.in: ValueError: no such word");
  EXPECT_EQ(failure.traceback, "Traceback …");
  EXPECT_FALSE(failure.environment);
}

TEST(Autopsy, OfSetupSaysSo) {
  auto failed = FailedWith("FileNotFoundError", "model.onnx");
  failed.phase = "setup";
  EXPECT_EQ(FailureOf(ContainerNode(), failed, Quiet()).sentence,
            "node 'asr' failed in its setup: FileNotFoundError: model.onnx");
}

TEST(Autopsy, OfACrashNamesSignalAndWhatWasInFlightAndShowsTheInterpretersStack) {
  auto evidence = Quiet();
  evidence.stack = "Fatal Python error: Segmentation fault\n";
  EXPECT_EQ(Judge(Signalled(SIGSEGV), evidence), Cause::kSignal);
  const auto failure = FailureOf(ContainerNode(), Signalled(SIGSEGV), evidence);
  EXPECT_EQ(failure.sentence,
            "node 'asr' was killed by signal 11 (SIGSEGV) while handling message 3 of edge vad.out->asr.in "
            "(for 12.3 ms), 2.3 s after its start");
  EXPECT_EQ(failure.traceback, "Fatal Python error: Segmentation fault\n");
}

TEST(Autopsy, OfAKillAtTheMemoryLimitSaysLimitFiguresAndWhatWouldDo) {
  EXPECT_EQ(Judge(Signalled(SIGKILL), OutOfMemory()), Cause::kMemoryLimit);
  EXPECT_EQ(FailureOf(ContainerNode(), Signalled(SIGKILL), OutOfMemory()).sentence,
            "node 'asr' was killed by the kernel at its memory limit of 128 MB while handling message 3 of edge "
            "vad.out->asr.in (for 12.3 ms), 2.3 s after its start; it used 128 MB at most and met the limit 312 times: "
            "raise docker.resource_limits.memory_mb of this node to 192 or more");
}

TEST(Autopsy, OfAKillAtTheMemoryLimitLeavesOutWhatTheKernelDidNotCount) {
  auto evidence = OutOfMemory();
  evidence.container->counters->memory->limit_hits = 0;
  EXPECT_EQ(Judge(Signalled(SIGKILL), evidence), Cause::kMemoryLimit);
  EXPECT_THAT(FailureOf(ContainerNode(), Signalled(SIGKILL), evidence).sentence,
              HasSubstr("; it used 128 MB at most: raise docker"));
}

TEST(Autopsy, OfAKillWithoutCountersBelievesTheEngine) {
  auto evidence = Quiet();
  evidence.container->counters.reset();
  EXPECT_EQ(Judge(Signalled(SIGKILL), evidence), Cause::kSignal);
  evidence.container->engine.out_of_memory = true;
  EXPECT_EQ(Judge(Signalled(SIGKILL), evidence), Cause::kMemoryLimit);
  EXPECT_THAT(FailureOf(ContainerNode(), Signalled(SIGKILL), evidence).sentence,
              EndsWith("start; raise docker.resource_limits.memory_mb of this node to 192 or more"));
}

TEST(Autopsy, OfANodeThatFailsBecauseItsChildWasKilledNamesTheLimitToo) {
  const End end = FailedWith("CalledProcessError", "died with <Signals.SIGKILL: 9>");
  EXPECT_EQ(Judge(end, OutOfMemory()), Cause::kChildMemoryLimit);
  EXPECT_EQ(FailureOf(ContainerNode(), end, OutOfMemory()).sentence,
            "node 'asr' failed while handling message 17 of edge vad.out->asr.in: CalledProcessError: died with "
            "<Signals.SIGKILL: 9>; 2.3 s after its start: the kernel killed 1 of its processes at its memory limit of "
            "128 MB (it used 128 MB at most and met the limit 312 times): raise docker.resource_limits.memory_mb of "
            "this node to 192 or more");
  EXPECT_EQ(Judge(WithCode(1), OutOfMemory()), Cause::kChildMemoryLimit);
  EXPECT_THAT(FailureOf(ContainerNode(), WithCode(1), OutOfMemory()).sentence,
              HasSubstr("s after its start; the kernel killed 1 of its processes at its memory limit of 128 MB"));
}

TEST(Autopsy, OfAHostWithoutMemoryDoesNotBlameTheContainersLimit) {
  auto evidence = Quiet();
  evidence.container->counters->memory->oom_kills = 1;
  evidence.host.available_bytes = 120 * kMebibyte;
  EXPECT_EQ(Judge(Signalled(SIGKILL), evidence), Cause::kHostMemory);
  const auto failure = FailureOf(ContainerNode(), Signalled(SIGKILL), evidence);
  EXPECT_EQ(failure.sentence,
            "node 'asr' was killed by the kernel while handling message 3 of edge vad.out->asr.in (for 12.3 ms), 2.3 s "
            "after its start: this host ran out of memory (120 MB of 16000 MB are available now); it was below its own "
            "limit of 128 MB: free memory, or lower the limits so that their sum fits this host");
  EXPECT_TRUE(failure.environment);
}

TEST(Autopsy, OfAProcessNodeOnAHostThatKilledForMemoryBlamesTheHostOnlyWhenItIsShort) {
  auto evidence = Quiet();
  evidence.container.reset();
  evidence.host.oom_kills = 1;
  EXPECT_EQ(Judge(Signalled(SIGKILL), evidence), Cause::kSignal);  // some container's limit, elsewhere
  evidence.host.stalled = 0.3;
  EXPECT_EQ(Judge(Signalled(SIGKILL), evidence), Cause::kHostMemory);
  EXPECT_THAT(FailureOf(ProcessNode(), Signalled(SIGKILL), evidence).sentence,
              HasSubstr("this host ran out of memory (9000 MB of 16000 MB are available now); free memory"));
}

TEST(Autopsy, OfAContainerNodeIgnoresWhatTheKernelKilledElsewhere) {
  auto evidence = Quiet();
  evidence.host.oom_kills = 1;
  evidence.host.stalled = 0.3;
  EXPECT_EQ(Judge(Signalled(SIGKILL), evidence), Cause::kSignal);
}

TEST(Autopsy, OfAnAllocationThatWasRefusedSaysHowMuchWasAskedFor) {
  const End end = FailedWith("numpy.exceptions._ArrayMemoryError", "Unable to allocate 2.00 GiB for an array");
  EXPECT_EQ(Judge(end, Quiet()), Cause::kMemoryLimit);
  EXPECT_THAT(FailureOf(ContainerNode(), end, Quiet()).sentence,
              EndsWith("for an array; 2.3 s after its start: its memory limit is 128 MB, of which it had used 40 MB at "
                       "most when it asked for 2048 MB more: raise docker.resource_limits.memory_mb of this node to "
                       "2624 or more"));
  EXPECT_THAT(FailureOf(ProcessNode(), end, Evidence{}).sentence, EndsWith("for an array"));
}

TEST(Autopsy, OfRefusedThreadsNamesThePidsLimit) {
  auto evidence = Quiet();
  evidence.container->counters->pids->refused = 1;
  const End end = FailedWith("RuntimeError", "can't start new thread");
  EXPECT_EQ(Judge(end, evidence), Cause::kPidsLimit);
  EXPECT_THAT(
      FailureOf(ContainerNode(), end, evidence).sentence,
      EndsWith("RuntimeError: can't start new thread; 2.3 s after its start: it was refused 1 process or thread "
               "at its limit of 64: raise docker.resource_limits.pids of this node to 96 or more"));
  EXPECT_EQ(Judge(WithCode(1), evidence), Cause::kPidsLimit);
}

TEST(Autopsy, OfAThrottledNodeThatIsLateNamesTheCpuLimit) {
  const Overdue late{.what = "import its module and set up",
                     .allowed = std::chrono::seconds(5),
                     .remedy = "raise its start_timeout if it needs longer"};
  EXPECT_EQ(Judge(late, Quiet()), Cause::kOverdue);
  EXPECT_EQ(FailureOf(ContainerNode(), late, Quiet()).sentence,
            "node 'asr' did not import its module and set up within 5.0 s; raise its start_timeout if it needs longer");
  auto evidence = Quiet();
  *evidence.container->counters->cpu = {
      .usage_ns = 500'000'000, .periods = 50, .throttled = 48, .throttled_ns = 4'500'000'000};
  EXPECT_EQ(Judge(late, evidence), Cause::kCpuLimit);
  EXPECT_EQ(FailureOf(ContainerNode(), late, evidence).sentence,
            "node 'asr' did not import its module and set up within 5.0 s; it used up its limit of 0.1 cores in 96 % "
            "of its CPU periods and was stopped for 4.5 s in all: raise docker.resource_limits.cpu_cores of this node "
            "to 1 or more, or raise its start_timeout if it needs longer");
}

TEST(Autopsy, OfAFullFileSystemInMemoryNamesItAndItsField) {
  auto exited = Signalled(SIGBUS);
  exited.full = {{.path = "/dev/shm", .bytes = 64 * kMebibyte}};
  EXPECT_EQ(Judge(exited, Quiet()), Cause::kStorageFull);
  EXPECT_THAT(
      FailureOf(ContainerNode(), exited, Quiet()).sentence,
      AllOf(StartsWith("node 'asr' was killed by signal 7 (SIGBUS) while handling"),
            EndsWith("; /dev/shm is full (64 MB): raise docker.shm_size_mb of this node, or delete files there")));
  exited = WithCode(1);
  exited.full = {{.path = "/tmp", .bytes = 64 * kMebibyte}, {.path = "/scratch", .bytes = kMebibyte}};
  EXPECT_THAT(FailureOf(ContainerNode(), exited, Quiet()).sentence,
              EndsWith("/tmp is full (64 MB): raise docker.tmpfs_mb of this node, or delete files there, /scratch is "
                       "full (1.0 MB)"));
}

TEST(Autopsy, OfAnExitSaysCodeAndHowFarTheNodeHadCome) {
  Evidence evidence;
  EXPECT_EQ(Judge(WithCode(3), evidence), Cause::kExit);
  EXPECT_EQ(FailureOf(ProcessNode(), WithCode(3), evidence).sentence,
            "node 'asr' exited with code 3 before its stream had ended");
  evidence.phase = Phase::kStarting;
  EXPECT_EQ(FailureOf(ProcessNode(), WithCode(1), evidence).sentence,
            "node 'asr' exited with code 1 while it was starting");
  evidence.phase = Phase::kFinished;
  EXPECT_EQ(FailureOf(ProcessNode(), WithCode(1), evidence).sentence,
            "node 'asr' exited with code 1 after it had finished its work");
}

TEST(Autopsy, OfALostContainerTellsWhatIsKnownAtOnce) {
  EXPECT_EQ(Judge(ContainerLost{}, Quiet()), Cause::kContainerEnded);
  EXPECT_EQ(FailureOf(ContainerNode(), ContainerLost{}, Quiet()).sentence,
            "the container of node 'asr' ended unexpectedly while handling message 3 of edge vad.out->asr.in "
            "(for 12.3 ms), 2.3 s after its start");
  EXPECT_EQ(Judge(ContainerLost{}, OutOfMemory()), Cause::kMemoryLimit);
}

TEST(Autopsy, OfAContainerThatSomebodyKilledSaysSo) {
  auto evidence = Quiet();
  evidence.container->engine.signal_asked = SIGKILL;
  EXPECT_EQ(Judge(ContainerLost{}, evidence), Cause::kContainerKilled);
  EXPECT_EQ(Judge(Signalled(SIGTERM), evidence), Cause::kContainerKilled);
  EXPECT_EQ(Judge(Signalled(SIGSEGV), evidence), Cause::kSignal);
  EXPECT_THAT(FailureOf(ContainerNode(), ContainerLost{}, evidence).sentence,
              AllOf(StartsWith("the container of node 'asr' was killed from outside while handling message 3"),
                    HasSubstr("somebody had the engine send it signal 9 (SIGKILL)")));
}

TEST(Autopsy, OfAContainerThatWentWithItsEngineSaysSo) {
  auto evidence = Quiet();
  evidence.container->engine_lost = true;
  EXPECT_EQ(Judge(ContainerLost{}, evidence), Cause::kEngineStopped);
  EXPECT_EQ(Judge(Signalled(SIGTERM), evidence), Cause::kEngineStopped);
  const auto failure = FailureOf(ContainerNode(), ContainerLost{}, evidence);
  EXPECT_THAT(failure.sentence, HasSubstr("ended with the Docker engine, which was stopped or restarted"));
  EXPECT_TRUE(failure.environment);
  auto out_of_memory = OutOfMemory();
  out_of_memory.container->engine_lost = true;
  EXPECT_EQ(Judge(Signalled(SIGKILL), out_of_memory), Cause::kMemoryLimit);  // counted before the engine went
}

TEST(Detail, IsAwaitedWhereTheEngineMayKnowMore) {
  EXPECT_TRUE(IsUnexplained(ContainerLost{}, Quiet()));
  EXPECT_TRUE(IsUnexplained(Signalled(SIGTERM), Quiet()));
  EXPECT_FALSE(IsUnexplained(Signalled(SIGSEGV), Quiet()));
  EXPECT_FALSE(IsUnexplained(Signalled(SIGKILL), OutOfMemory()));
  EXPECT_FALSE(IsUnexplained(Signalled(SIGKILL), Evidence{}));  // a process of the host
  EXPECT_FALSE(IsUnexplained(WithCode(1), Quiet()));
  auto killed = Quiet();
  killed.container->engine.signal_asked = SIGKILL;
  EXPECT_FALSE(IsUnexplained(ContainerLost{}, killed));
}

TEST(Detail, ComesFromTheEnginesAccount) {
  const auto detail = [](const container::EngineRecord& record, bool lost = false) {
    return DetailOf(ContainerNode(), record, lost).value_or("nothing");
  };
  EXPECT_EQ(detail({}), "nothing");
  EXPECT_EQ(detail({.out_of_memory = false, .signal_asked = SIGKILL, .exit_code = 137}),
            "the container of node 'asr' was killed from outside: somebody had the engine send it signal 9 (SIGKILL) "
            "(docker kill, stop or rm -f); no limit had to do with it");
  EXPECT_EQ(detail({.out_of_memory = true, .signal_asked = {}, .exit_code = 137}),
            "the container of node 'asr' was killed by the kernel at its memory limit of 128 MB: raise "
            "docker.resource_limits.memory_mb of this node to 192 or more");
  EXPECT_EQ(detail({.out_of_memory = false, .signal_asked = {}, .exit_code = 137}),
            "the first process of the container of node 'asr' was killed with signal 9 (SIGKILL), and not through the "
            "engine: look for who did it on this host");
  EXPECT_EQ(detail({.out_of_memory = false, .signal_asked = {}, .exit_code = 3}),
            "the container of node 'asr' exited with code 3");
  EXPECT_THAT(detail({}, true), HasSubstr("ended with the Docker engine"));
}

TEST(Remarks, TellOfLimitsThatANodeMetAndSurvived) {
  EXPECT_THAT(RemarksOn(ContainerNode(), Quiet()), IsEmpty());
  auto evidence = OutOfMemory();
  evidence.container->counters->pids->refused = 2;
  evidence.container->counters->cpu->throttled = 20;
  const auto remarks = RemarksOn(ContainerNode(), evidence);
  ASSERT_EQ(remarks.size(), 3U);
  EXPECT_THAT(remarks[0], StartsWith("node 'asr': the kernel killed 1 of its processes at its memory limit of 128 MB"));
  EXPECT_THAT(remarks[1], StartsWith("node 'asr': it was refused 2 processes or threads at its limit of 64"));
  EXPECT_THAT(remarks[2], StartsWith("node 'asr': it used up its limit of 0.1 cores in 87 % of its CPU periods"));
}

TEST(Remarks, OnANodeWithoutAContainerAreNone) { EXPECT_THAT(RemarksOn(ProcessNode(), Evidence{}), IsEmpty()); }

TEST(Autopsy, SaysOfAProcessThatServedOthersThatItDid) {
  auto crash = Signalled(SIGSEGV);
  crash.others = 2;
  const auto sentence = FailureOf(ContainerNode(), crash, Quiet()).sentence;
  EXPECT_THAT(sentence, HasSubstr("was killed by signal 11 (SIGSEGV)"));
  EXPECT_THAT(sentence, HasSubstr("its process served 2 other sessions too"));
  auto killed = Signalled(SIGKILL);
  killed.others = 1;
  EXPECT_THAT(FailureOf(ContainerNode(), killed, OutOfMemory()).sentence,
              HasSubstr("its process served 1 other session too"));
  EXPECT_THAT(FailureOf(ContainerNode(), Signalled(SIGSEGV), Quiet()).sentence,
              testing::Not(HasSubstr("other session")));
}

}  // namespace
}  // namespace penstock::session
