// Python workers end to end, on every interpreter that the SDK supports: processes, realms, protocol and nodes are
// real.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "stage.h"

namespace penstock::python_tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// PENSTOCK_TEST_PYTHON_ROOT/3.10*/bin/python3, then python3.10 on PATH.
auto FindPython(const std::string& version) -> std::string {
  namespace fs = std::filesystem;
  std::vector<fs::path> roots;
  for (const char* name : {"PENSTOCK_TEST_PYTHON_ROOT", "PYENV_ROOT"}) {
    if (const char* root = std::getenv(name)) roots.emplace_back(fs::path(root));
  }
  if (const char* home = std::getenv("HOME")) roots.emplace_back(fs::path(home) / ".pyenv");
  std::error_code ignored;
  for (const auto& root : roots) {
    for (const auto& entry : fs::directory_iterator(root / "versions", ignored)) {
      if (entry.path().filename().string().rfind(fmt::format("{}.", version), 0) == 0)
        return entry.path() / "bin/python3";
    }
  }
  for (const char* folder : {"/usr/local/bin", "/usr/bin"}) {
    const auto path = fs::path(folder) / fmt::format("python{}", version);
    if (fs::exists(path, ignored)) return path;
  }
  return {};
}

class PythonWorker : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    python = FindPython(GetParam());
    if (python.empty()) {
      GTEST_SKIP() << "NOT TESTED: no Python " << GetParam()
                   << " on this host. Install it below ~/.pyenv/versions, or below the versions/ of "
                   << "PENSTOCK_TEST_PYTHON_ROOT.";
    }
  }
  std::string python;
};

auto Node(std::string id, const std::string& cls, std::string params = "{}") -> NodeSpec {
  return {std::move(id), fmt::format("pair:{}", cls), std::move(params)};
}

// source → node, from start to the node's end.
auto RunPair(const std::string& python, NodeSpec source, NodeSpec sink, transport::EdgeContract contract = {})
    -> Ending {
  Stage stage(python);
  const auto started = stage.Start({std::move(source), std::move(sink)}, {{"source.out", "sink.in", contract}});
  if (!started) ADD_FAILURE() << started.error().ToString();
  return stage.Await("sink");
}

constexpr const char* kEveryKind = R"(["Audio", "f", [2, 1], [[0.5], [-0.5]], 20000000, {"n": 0}, true]
["Text", "B", [7], "gr\u00c3\u00bc\u00c3\u009fe", 1, {}, true]
["Json", "B", [14], "1,null]}", 0, {"key": "\u00fc"}, true]
["Bytes", "B", [0], "", 0, {}, true]
["Tensor", "h", [2, 3], [[0, 1, 2], [3, 4, 5]], 0, {}, true]
["Audio", "f", [2, 2], [[1.0, 2.0], [3.0, 4.0]], 5, {"loaned": true}, true]
["Bytes", "B", [8000000], "\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0007", 0, {}, true]
["Tensor", "d", [], 2.5, 0, {}, true]
finished
torn down
)";

TEST_P(PythonWorker, MessagesOfEveryKindArriveInOrderAndTheStreamEnds) {
  Stage stage(python);
  const auto started =
      stage.Start({Node("source", "EveryKind"), Node("sink", "Describe")}, {{"source.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  const auto sink = stage.Await("sink");
  const auto source = stage.Await("source");
  EXPECT_EQ(sink.standard_output, kEveryKind) << sink.failed.traceback << sink.standard_error;
  EXPECT_TRUE(sink.finished && source.finished) << source.failed.traceback << source.standard_error;
  EXPECT_EQ(sink.exit_status, 0) << sink.standard_error;
  EXPECT_EQ(source.exit_status, 0) << source.standard_error;
}

TEST_P(PythonWorker, ReceivedMessagesCanBePassedOn) {
  Stage stage(python);
  const auto started = stage.Start({Node("source", "EveryKind"), Node("pass", "PassOn"), Node("sink", "Describe")},
                                   {{"source.out", "pass.in"}, {"pass.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_EQ(stage.Await("sink").standard_output, kEveryKind);
}

TEST_P(PythonWorker, ConsumersSeeTheMemoryThatTheProducerWrote) {
  const auto sink = RunPair(python, Node("source", "Places"), Node("sink", "SamePlace"));
  EXPECT_EQ(sink.standard_output, "same\nsame\nsame\n") << sink.failed.traceback;
}

TEST_P(PythonWorker, FailingHandlersReportTracebackAndMessage) {
  const auto sink =
      RunPair(python, Node("source", "Numbers", R"({"count": 5})"), Node("sink", "FailsAt", R"({"number": 3})"));
  EXPECT_EQ(sink.exit_status, 1);
  EXPECT_EQ(sink.failed.phase, "process");
  EXPECT_EQ(sink.failed.error, "ValueError");
  EXPECT_EQ(sink.failed.message, "cannot handle 3");
  EXPECT_EQ(sink.failed.edge.value_or("none"), "source.out->sink.in");
  EXPECT_EQ(sink.failed.sequence.value_or(0), 3U);
  EXPECT_THAT(sink.failed.traceback,
              AllOf(HasSubstr("pair.py"), HasSubstr("raise ValueError"), testing::Not(HasSubstr("_runner.py"))));
}

TEST_P(PythonWorker, SystemExitOfANodeIsAFailure) {
  const auto sink = RunPair(python, Node("source", "Numbers", R"({"count": 1})"), Node("sink", "Exits"));
  EXPECT_EQ(sink.exit_status, 1);
  EXPECT_EQ(sink.failed.error, "SystemExit");
}

TEST_P(PythonWorker, FailuresBeforeTheStartAreReportedWithTheirPhase) {
  for (const auto& [cls, phase] : {std::pair{"FailsInSetup", "setup"}, std::pair{"Absent", "import"}}) {
    Stage stage(python);
    const auto started = stage.Start({Node("source", "Numbers"), Node("sink", cls)}, {{"source.out", "sink.in"}});
    EXPECT_FALSE(started);
    const auto sink = stage.Await("sink");
    EXPECT_EQ(sink.failed.phase, phase) << sink.failed.message;
    EXPECT_EQ(sink.exit_status, 1);
  }
}

TEST_P(PythonWorker, StopEndsASourceAndWithItTheStream) {
  Stage stage(python);
  const auto started = stage.Start({Node("source", "Numbers"), Node("sink", "Describe")}, {{"source.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  ASSERT_TRUE(stage.SendStop("source"));
  const auto sink = stage.Await("sink");
  EXPECT_TRUE(sink.finished) << sink.failed.traceback;
  const auto source = stage.Await("source");
  EXPECT_EQ(source.standard_output, "closed\n");
  EXPECT_EQ(source.exit_status, 0);
}

TEST_P(PythonWorker, AsManyMessagesCanBeKeptAsTheEdgeAllows) {
  transport::EdgeContract contract;
  contract.max_held = 3;
  const auto sink =
      RunPair(python, Node("source", "Numbers", R"({"count": 50})"), Node("sink", "Keeps", R"({"keep": 3})"), contract);
  EXPECT_EQ(sink.standard_output, "[47, 48, 49]\n") << sink.failed.traceback;
}

TEST_P(PythonWorker, KeepingMoreMessagesIsAnErrorThatNamesTheEdge) {
  transport::EdgeContract contract;
  contract.max_held = 3;
  const auto sink = RunPair(python, Node("source", "Numbers", R"({"count": 50})"),
                            Node("sink", "Keeps", R"({"keep": 20})"), contract);
  EXPECT_EQ(sink.failed.phase, "process");
  EXPECT_THAT(sink.failed.message, HasSubstr("source.out->sink.in"));
  EXPECT_EQ(sink.exit_status, 1);
}

TEST_P(PythonWorker, MessagesInReferenceCyclesAreCollectedBeforeTheyAreTooMany) {
  const auto sink = RunPair(python, Node("source", "Numbers", R"({"count": 50})"), Node("sink", "KeepsInCycles"));
  EXPECT_EQ(sink.standard_output, "finished\n") << sink.failed.message;
}

TEST_P(PythonWorker, ForkedChildrenAreRefusedAndLeaveThePortsAlone) {
  Stage stage(python);
  const auto started =
      stage.Start({Node("source", "Numbers", R"({"count": 3})"), Node("forks", "Forks"), Node("sink", "Describe")},
                  {{"source.out", "forks.in"}, {"forks.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  const auto sink = stage.Await("sink");
  const auto forks = stage.Await("forks");
  EXPECT_EQ(forks.exit_status, 0) << forks.failed.traceback;
  EXPECT_THAT(forks.standard_output, HasSubstr("2\nrefused: this process was forked from a Penstock worker"));
  EXPECT_THAT(forks.standard_output, HasSubstr("refused again\nchild 7\nchild 8\n"));
  EXPECT_THAT(sink.standard_output, HasSubstr("[\"Json\", \"B\", [1], \"2\", 2, {}, true]\nfinished\n"));
}

TEST_P(PythonWorker, ReceivedMessagesCannotBeWrittenTo) {
  const auto sink = RunPair(python, Node("source", "Numbers", R"({"count": 1})"), Node("sink", "Writes"));
  EXPECT_THAT(sink.standard_output,
              AllOf(HasSubstr("cannot modify read-only memory"), HasSubstr("underlying buffer is not writable")));
}

TEST_P(PythonWorker, PrintsAndLogRecordsTravelApart) {
  const auto sink = RunPair(python, Node("source", "Numbers", R"({"count": 1})"), Node("sink", "Logs"));
  EXPECT_EQ(sink.standard_output, "printed\n");
  EXPECT_EQ(sink.standard_error, "to stderr\n");
  EXPECT_THAT(sink.records, AllOf(HasSubstr(R"("level":"warning","logger":"speech","message":"heard 0","time_ns":)"),
                                  testing::EndsWith("}\n")));
}

TEST_P(PythonWorker, OnlyTheNodesOwnThreadMayEmit) {
  const auto sink = RunPair(python, Node("source", "EmitsFromAThread"), Node("sink", "Describe"));
  EXPECT_THAT(sink.standard_output, HasSubstr("belong to the thread that runs its handlers"));
}

TEST_P(PythonWorker, WorkersEndWithTheirRuntime) {
  Stage stage(python);
  const auto started = stage.Start({Node("source", "Numbers"), Node("sink", "Sleeps")}, {{"source.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  for (const char* node : {"source", "sink"}) {
    stage.CloseControl(node);
    EXPECT_EQ(stage.Await(node).exit_status, 70) << node;
  }
}

TEST_P(PythonWorker, TheTerminalsInterruptIsLeftToTheRuntime) {
  Stage stage(python);
  const auto started = stage.Start({Node("source", "Numbers"), Node("sink", "Describe")}, {{"source.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  for (const char* node : {"source", "sink"}) stage.Signal(node, SIGINT);
  ASSERT_TRUE(stage.SendStop("source"));
  EXPECT_EQ(stage.Await("sink").exit_status, 0);
}

TEST_P(PythonWorker, NumpyArraysAreTheSharedMemoryItself) {
  // The interpreter of the tests' own environment has numpy; others may.
  if (std::string(GetParam()) == "3.11" && std::filesystem::exists(PENSTOCK_TEST_VENV_PYTHON))
    python = PENSTOCK_TEST_VENV_PYTHON;
  if (std::system(fmt::format("{} -c 'import numpy' 2>/dev/null", python).c_str()) != 0) {
    GTEST_SKIP() << "NOT TESTED: " << python << " has no numpy.";
  }
  NodeSpec source{"source", "arrays:Loans"};
  NodeSpec sink{"sink", "arrays:Checks"};
  const auto ending = RunPair(python, std::move(source), std::move(sink));
  EXPECT_EQ(ending.standard_output, "ok\nok\nok\nok\nok\nok\n") << ending.failed.traceback << ending.standard_error;
}

auto Coroutine(std::string id, const std::string& cls, std::string params = "{}") -> NodeSpec {
  return {std::move(id), fmt::format("coroutines:{}", cls), std::move(params)};
}

TEST_P(PythonWorker, CoroutinesHandleEveryMessageAndTheirOutputsAreSentBeforeItIsAcknowledged) {
  Stage stage(python);
  const auto started = stage.Start(
      {Coroutine("source", "Numbers", R"({"count": 50})"), Coroutine("twice", "Twice"), Node("sink", "Describe")},
      {{"source.out", "twice.in"}, {"twice.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  const auto sink = stage.Await("sink");
  const auto twice = stage.Await("twice");
  EXPECT_EQ(std::count(sink.standard_output.begin(), sink.standard_output.end(), '\n'), 2 * 50 + 3)
      << twice.failed.traceback;
  EXPECT_THAT(sink.standard_output, AllOf(HasSubstr(R"("49", 49, {}, true])"), HasSubstr(R"("\"end\"", 0, {})")));
  EXPECT_EQ(twice.standard_output, "set up\ntorn down\n") << twice.standard_error;
  EXPECT_EQ(twice.exit_status, 0);
  EXPECT_EQ(stage.ControlOf("source.out")->acked.load(), 50U);
}

TEST_P(PythonWorker, FailingCoroutinesReportTheirMessageAndTheirOwnLines) {
  const auto sink = RunPair(python, Coroutine("source", "Numbers", R"({"count": 5})"), Coroutine("sink", "FailsAt"));
  EXPECT_EQ(sink.failed.phase, "process");
  EXPECT_EQ(sink.failed.message, "cannot handle 3");
  EXPECT_EQ(sink.failed.edge.value_or("none"), "source.out->sink.in");
  EXPECT_EQ(sink.failed.sequence.value_or(0), 3U);
  EXPECT_THAT(sink.failed.traceback, AllOf(HasSubstr("coroutines.py"), testing::Not(HasSubstr("_runner.py")),
                                           testing::Not(HasSubstr("asyncio"))));
}

// A pipe by which a node says that it is so far.
class Signal {
 public:
  Signal() : path_(std::filesystem::temp_directory_path() / fmt::format("penstock-signal-{}", getpid())) {
    EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
  }
  Signal(const Signal&) = delete;
  auto operator=(const Signal&) -> Signal& = delete;
  ~Signal() { std::filesystem::remove(path_); }
  auto params() const -> std::string { return fmt::format(R"({{"path": "{}"}})", path_.string()); }
  void Await() const { std::ifstream(path_).get(); }

 private:
  std::filesystem::path path_;
};

TEST_P(PythonWorker, TheLoopGoesOnWhileNoMessageIsThere) {
  const Signal signal;
  Stage stage(python);
  const auto started =
      stage.Start({Coroutine("source", "Listens", signal.params()), Coroutine("sink", "Answers", signal.params())},
                  {{"source.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  const auto source = stage.Await("source");
  EXPECT_THAT(source.standard_output, HasSubstr("not sent: node 'sink': Answers.emit was called by a task that is not"))
      << source.failed.traceback;
  EXPECT_EQ(stage.Await("sink").exit_status, 0);
}

TEST_P(PythonWorker, StopReachesASourceThatAwaitsSomethingElse) {
  const Signal signal;
  Stage stage(python);
  const auto started = stage.Start({Coroutine("source", "Waits", signal.params()), Node("sink", "Describe")},
                                   {{"source.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  signal.Await();
  ASSERT_TRUE(stage.SendStop("source"));
  EXPECT_TRUE(stage.Await("sink").finished);
  const auto source = stage.Await("source");
  EXPECT_EQ(source.standard_output, "cancelled\n") << source.failed.traceback;
  EXPECT_EQ(source.exit_status, 0);
}

TEST_P(PythonWorker, MessagesThatCoroutinesLeaveInReferenceCyclesAreCollected) {
  const auto sink = RunPair(python, Node("source", "Numbers", R"({"count": 50})"), Coroutine("sink", "Keeps"));
  EXPECT_EQ(sink.standard_output, "finished\n") << sink.failed.message;
}

auto Timer(std::string id, const std::string& cls, std::string params = "{}") -> NodeSpec {
  return {std::move(id), fmt::format("timers:{}", cls), std::move(params)};
}

TEST_P(PythonWorker, TimersTickWhileNoMessageIsThere) {
  for (const char* cls : {"Ticks", "AsyncTicks"}) {
    const Signal signal;
    Stage stage(python);
    const auto started = stage.Start({Coroutine("source", "Listens", signal.params()),
                                      Timer("ticks", cls, signal.params()), Node("sink", "Describe")},
                                     {{"source.out", "ticks.in"}, {"ticks.out", "sink.in"}});
    ASSERT_TRUE(started) << started.error().ToString();
    EXPECT_EQ(stage.Await("source").standard_output, "three\n");
    EXPECT_THAT(stage.Await("sink").standard_output,
                AllOf(HasSubstr(R"("1", 0, {}, true])"), HasSubstr(R"(tick 3\"")"), HasSubstr("finished")));
    const auto ticks = stage.Await("ticks");
    EXPECT_EQ(ticks.exit_status, 0) << ticks.failed.traceback;
  }
}

TEST_P(PythonWorker, ANodeOfTimersAloneRunsUntilItIsStopped) {
  const Signal signal;
  Stage stage(python);
  const auto started =
      stage.Start({Timer("source", "Beats"), Timer("sink", "Third", signal.params())}, {{"source.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  signal.Await();
  ASSERT_TRUE(stage.SendStop("source"));
  EXPECT_TRUE(stage.Await("sink").finished);
  const auto source = stage.Await("source");
  EXPECT_EQ(source.standard_output, "finished\n") << source.failed.traceback;
  EXPECT_EQ(source.exit_status, 0);
}

TEST_P(PythonWorker, TimersThatAreLateTickBetweenMessages) {
  Stage stage(python);
  const auto started = stage.Start(
      {Node("source", "Numbers", R"({"count": 300})"), Timer("ticks", "AfterEach"), Node("sink", "Describe")},
      {{"source.out", "ticks.in"}, {"ticks.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_TRUE(stage.Await("sink").finished);
  EXPECT_EQ(stage.Await("ticks").standard_output, "one after each\n");
  EXPECT_EQ(stage.ControlOf("ticks.out")->acked.load(), 300U);
}

TEST_P(PythonWorker, ATickThatFailsIsReportedWithoutAMessage) {
  const auto sink = RunPair(python, Node("source", "Numbers"), Timer("sink", "FailsInTick"));
  EXPECT_EQ(sink.failed.phase, "process");
  EXPECT_EQ(sink.failed.message, "no time");
  EXPECT_EQ(sink.failed.sequence, std::nullopt);
  EXPECT_THAT(sink.failed.traceback, AllOf(HasSubstr("in tick"), testing::Not(HasSubstr("_serving.py"))));
}

TEST_P(PythonWorker, ANodeKnowsWhichMessageItHandles) {
  for (const auto& [cls, of_thread] : {std::pair{"Tells", "None\n"}, std::pair{"AsyncTells", ""}}) {
    const auto sink =
        RunPair(python, Node("source", "Numbers", R"({"count": 2})"), {"sink", fmt::format("current:{}", cls)});
    EXPECT_EQ(sink.standard_output, fmt::format("setup sink 36 None None\nprocess sink 36 in 0\n{0}"
                                                "process sink 36 in 1\n{0}finish sink 36 None None\n",
                                                of_thread))
        << sink.failed.traceback;
  }
}

// left: 0, 10, 20, …, right: 3, 28, 53, …; the smallest edges.
TEST_P(PythonWorker, InputsAreJoinedOnMediaTime) {
  const transport::EdgeContract contract{.depth = 2, .max_held = 1};
  auto join = Node("join", "Joined");
  join.join_tolerance_ns = 4;
  Stage stage(python);
  const auto started = stage.Start({Node("left", "Ticks", R"({"count": 8, "first": 0, "period": 10})"),
                                    Node("right", "Ticks", R"({"count": 3, "first": 3, "period": 25})"), join},
                                   {{"left.out", "join.left", contract}, {"right.out", "join.right", contract}});
  ASSERT_TRUE(started) << started.error().ToString();
  const auto ending = stage.Await("join");
  EXPECT_EQ(ending.standard_output, "0 3\n30 28\n50 53\n")
      << ending.failed.message << ending.failed.traceback << ending.standard_error;
  EXPECT_TRUE(ending.finished);
  EXPECT_EQ(stage.ControlOf("left.out")->joined.count(), 3U);
  EXPECT_EQ(stage.ControlOf("left.out")->acked.load(), 8U);
  EXPECT_EQ(stage.ControlOf("right.out")->acked.load(), 3U);
}

TEST_P(PythonWorker, OfWhatIsJoinedTheMessageThatIsLookedAtIsReported) {
  auto join = Node("join", "Joined");
  join.join_tolerance_ns = 0;
  Stage stage(python);
  const auto started =
      stage.Start({Node("left", "Ticks", R"({"count": 3, "first": 0, "period": 1})"), Node("right", "EveryKind"), join},
                  {{"left.out", "join.left", {}}, {"right.out", "join.right", {}}});
  ASSERT_TRUE(started) << started.error().ToString();
  const auto ending = stage.Await("join");
  EXPECT_EQ(ending.failed.phase, "process");
  EXPECT_THAT(ending.failed.message,
              HasSubstr("message 1 of input 'right' has the media time 1 ns, but the one before it had 20000000"));
  EXPECT_EQ(ending.failed.edge.value_or("none"), "right.out->join.right");
  EXPECT_EQ(ending.failed.sequence.value_or(9), 1U);
}

TEST_P(PythonWorker, CpuOutsideTheHandlerIsMeasuredWhenAskedFor) {
  Stage stage(python);
  auto thrice = Node("thrice", "Thrice");
  thrice.measure_cpu = true;
  const auto started =
      stage.Start({Node("source", "Numbers", R"({"count": 20})"), std::move(thrice), Node("sink", "Describe")},
                  {{"source.out", "thrice.in"}, {"thrice.out", "sink.in"}});
  ASSERT_TRUE(started) << started.error().ToString();
  const auto sink = stage.Await("sink");
  EXPECT_EQ(std::count(sink.standard_output.begin(), sink.standard_output.end(), '\n'), 3 * 20 + 2);
  EXPECT_EQ(stage.ControlOf("source.out")->overhead_cpu.Count(), 20U);
  EXPECT_GT(stage.ControlOf("source.out")->overhead_cpu.Quantile(0.5), 0U);
  EXPECT_EQ(stage.ControlOf("thrice.out")->overhead_cpu.Count(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Interpreters, PythonWorker, testing::Values("3.9", "3.10", "3.11", "3.12", "3.13"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace penstock::python_tests
