#include "session/failure.h"

#include <gtest/gtest.h>

#include <csignal>

namespace penstock::session {
namespace {

auto ContainerNode() -> plan::Node {
  plan::Node node;
  node.id = "asr";
  node.container = plan::ContainerSpec{};
  node.container->limits.memory_mb = 128;
  return node;
}

TEST(Failure, OfAHandlerNamesTheMessageAndKeepsTheTraceback) {
  worker::Failed failed;
  failed.phase = "process";
  failed.error = "ValueError";
  failed.message = "no such word";
  failed.traceback = "Traceback …";
  failed.edge = "vad.out->asr.in";
  failed.sequence = 17;
  const auto failure = FailureOf(ContainerNode(), failed);
  EXPECT_EQ(failure.sentence,
            "node 'asr' failed while handling message 17 of edge vad.out->asr.in: ValueError: no such word");
  EXPECT_EQ(failure.traceback, "Traceback …");
}

TEST(Failure, OfSetupSaysSo) {
  worker::Failed failed;
  failed.phase = "setup";
  failed.error = "FileNotFoundError";
  failed.message = "model.onnx";
  EXPECT_EQ(FailureOf(ContainerNode(), failed).sentence,
            "node 'asr' failed in its setup: FileNotFoundError: model.onnx");
}

TEST(Failure, OfASignalNamesItAndWhatWasInFlight) {
  worker::Exited exited;
  exited.signal = SIGSEGV;
  const auto failure =
      FailureOf(ContainerNode(), exited,
                {.phase = Phase::kRunning,
                 .in_flight = InFlight{.edge = "vad.out->asr.in", .sequence = 3, .handling_ns = 12'340'000},
                 .memory = {}});
  EXPECT_EQ(
      failure.sentence,
      "node 'asr' was killed by signal 11 (SIGSEGV) while handling message 3 of edge vad.out->asr.in (for 12.3 ms)");
}

TEST(Failure, OfAKillAtTheMemoryLimitSaysLimitAndRemedy) {
  worker::Exited exited;
  exited.signal = SIGKILL;
  EndEvidence evidence;
  evidence.memory = container::MemoryAccount{.peak_bytes = 128U << 20U, .oom_kills = 1};
  EXPECT_EQ(FailureOf(ContainerNode(), exited, evidence).sentence,
            "node 'asr' was killed by the kernel at its memory limit of 128 MB; raise "
            "docker.resource_limits.memory_mb of this node");
}

TEST(Failure, OfAnExitSaysHowFarTheNodeHadCome) {
  worker::Exited exited;
  exited.code = 1;
  EndEvidence evidence;
  evidence.phase = Phase::kStarting;
  EXPECT_EQ(FailureOf(ContainerNode(), exited, evidence).sentence,
            "node 'asr' exited with code 1 while it was starting");
  evidence.phase = Phase::kFinished;
  EXPECT_EQ(FailureOf(ContainerNode(), exited, evidence).sentence,
            "node 'asr' exited with code 1 after it had finished its work");
}

TEST(Failure, OfAnEarlyExitGivesTheCode) {
  worker::Exited exited;
  exited.code = 3;
  EXPECT_EQ(FailureOf(ContainerNode(), exited, {}).sentence,
            "node 'asr' exited with code 3 before its stream had ended");
}

}  // namespace
}  // namespace penstock::session
