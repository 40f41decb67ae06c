// Native workers as processes, driven over the real protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/mapping.h"
#include "nodes/native/test_session.h"
#include "transport/state_memory.h"

namespace penstock::nodes::native {
namespace {
using testing::HasSubstr;

class NativeWorker : public testing::Test {
 protected:
  void SetUp() override { ::alarm(120); }
  void TearDown() override { ::alarm(0); }

  // The node's first failure.
  auto Failure(const std::string& node_type, const std::string& params = "{}") -> worker::Failed {
    TestSession session;
    auto& worker = session.Add("node", node_type, params);
    session.Configure();
    for (;;) {
      auto message = worker.Receive();
      if (auto* failed = std::get_if<worker::Failed>(&message)) {
        EXPECT_EQ(worker.Wait(), 1);
        return std::move(*failed);
      }
    }
  }
  static auto Lines(const std::string& text) -> std::vector<std::string> {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  TestSession session_;
};

TEST_F(NativeWorker, CarriesAStreamToItsEndAndFinishes) {
  auto& source = session_.Add("source", "test.lines", R"({"count": 100})");
  auto& sink = session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  session_.Start();
  source.Next<worker::Finished>();
  sink.Next<worker::Finished>();
  EXPECT_EQ(source.Wait(), 0);
  EXPECT_EQ(sink.Wait(), 0);
  const auto lines = Lines(sink.Output());
  ASSERT_EQ(lines.size(), 100U);
  EXPECT_EQ(lines.front(), "line   0");
  EXPECT_EQ(lines.back(), "line  99");
  auto& account = session_.control(0);
  EXPECT_EQ(account->published, 100U);
  EXPECT_EQ(account->acked, 100U);
  EXPECT_EQ(account->lost, 0U);
  EXPECT_EQ(account->handler.Count(), 100U);
}

TEST_F(NativeWorker, AsksOnceForMessagesBeyondWhatWasPrepared) {
  auto& source = session_.Add("source", "test.blobs", R"({"sizes": [10, 4096, 6000, 6000, 6001, 10, 5000]})");
  auto& sink = session_.Add("sink", "text.sink");
  session_.Connect("source", "sink", {.depth = 2, .max_held = 1});
  session_.Start();
  source.Next<worker::Finished>();
  EXPECT_EQ(source.Wait(), 0);
  EXPECT_EQ(Lines(sink.Output()).size(), 7U);
  ASSERT_EQ(source.requests.size(), 1U);
  EXPECT_EQ(source.requests[0].output, 0U);
  EXPECT_EQ(source.requests[0].bytes, 6000U);
}

TEST_F(NativeWorker, MemoryThatIsRefusedIsAFailureOfTheNodeWithTheReason) {
  auto& source = session_.Add("source", "test.blobs", R"({"sizes": [10, 500000]})");
  session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  source.refuses = true;
  session_.Start();
  const auto failed = source.Next<worker::Failed>();
  EXPECT_EQ(source.Wait(), 1);
  EXPECT_EQ(failed.phase, "process");
  EXPECT_EQ(failed.error, "over quota");
  EXPECT_THAT(failed.message, HasSubstr("raise shm_quota_mb"));
}

TEST_F(NativeWorker, ARuntimeThatGoesWhileMemoryIsAwaitedEndsTheWorker) {
  auto& source = session_.Add("source", "test.blobs", R"({"sizes": [500000]})");
  session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  session_.Start();
  const auto packet = source.control().Receive(base::Deadline::Never());
  ASSERT_TRUE(packet);
  EXPECT_THAT(packet->data, HasSubstr("\"grow\""));
  source.control().Close();
  EXPECT_EQ(source.Wait(), 70);
}

TEST_F(NativeWorker, SaysHelloAndWhatItsPortsAre) {
  auto& worker = session_.Add("node", "test.twice");
  const auto hello = worker.Next<worker::Hello>();
  EXPECT_EQ(hello.language, "native");
  EXPECT_THAT(hello.executable, testing::EndsWith("penstock-native"));
  worker.Say(worker.configure);
  auto message = worker.Receive();
  if (std::holds_alternative<worker::OutputsOpen>(message)) message = worker.Receive();
  const auto ready = std::get<worker::Ready>(message);
  EXPECT_THAT(ready.inputs, testing::ElementsAre(testing::Pair("in", "Text")));
  EXPECT_THAT(ready.outputs, testing::ElementsAre(testing::Pair("out", "Text")));
}

TEST_F(NativeWorker, KeepsMediaTimeTraceAndOriginAcrossAHop) {
  session_.Add("source", "test.lines", R"({"count": 2})");
  session_.Add("twice", "test.twice");
  auto& sink = session_.Add("sink", "json.sink");
  auto& direct = session_.Add("direct", "json.sink");
  session_.Connect("source", "twice");
  session_.Connect("source", "direct");
  session_.Connect("twice", "sink");
  session_.Start();
  sink.Next<worker::Finished>();
  direct.Next<worker::Finished>();

  std::vector<nlohmann::json> sent;
  for (const auto& line : Lines(direct.Output())) sent.push_back(nlohmann::json::parse(line));
  std::vector<nlohmann::json> got;
  for (const auto& line : Lines(sink.Output())) got.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(sent.size(), 2U);
  ASSERT_EQ(got.size(), 5U);
  EXPECT_NE(sent[0]["trace"], sent[1]["trace"]);
  EXPECT_TRUE(sent[0]["origin"].is_null());
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& cause = sent[i / 2];
    EXPECT_EQ(got[i]["text"], cause["text"]);
    EXPECT_EQ(got[i]["trace"], cause["trace"]);
    EXPECT_NE(got[i]["span"], cause["span"]);
    EXPECT_EQ(got[i]["time_ns"], cause["time_ns"]);
    EXPECT_EQ(got[i]["origin"], (nlohmann::json{{"input", 0}, {"sequence", i / 2}, {"index", i % 2}}));
    EXPECT_EQ(got[i]["sequence"], i);
  }
  EXPECT_EQ(got[4]["text"], "the end");
  EXPECT_TRUE(got[4]["origin"].is_null());
}

TEST_F(NativeWorker, TakesFromSeveralEdgesInTurn) {
  auto& endless = session_.Add("endless", "test.lines", R"({"count": -1})");
  auto& other = session_.Add("other", "test.lines", R"({"count": 500})");
  auto& sink = session_.Add("sink", "text.sink", R"({"path": "/dev/null"})");
  session_.Connect("endless", "sink");
  session_.Connect("other", "sink");
  session_.Start();
  other.Next<worker::Finished>();  // although the first edge never runs dry
  EXPECT_EQ(session_.control(1)->acked, 500U);
  endless.Say(worker::Stop{});
  sink.Next<worker::Finished>();
  EXPECT_EQ(session_.control(0)->acked, session_.control(0)->published);
}

TEST_F(NativeWorker, AStopWakesASourceThatSleeps) {
  auto& source = session_.Add("source", "test.sleeper");
  auto& sink = session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  session_.Start();
  source.Say(worker::Stop{});
  source.Next<worker::Finished>();
  sink.Next<worker::Finished>();
  EXPECT_EQ(sink.Output(), "stopped\n");
}

TEST_F(NativeWorker, AStopEndsASourceThatWaitsForAPipe) {
  const auto path =
      (std::filesystem::temp_directory_path() / fmt::format("penstock-native-worker-pipe-{}", ::getpid())).string();
  for (const bool is_open : {false, true}) {
    SCOPED_TRACE(is_open ? "somebody has it open and is silent" : "nobody has it open");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    std::fstream writer;
    if (is_open) writer.open(path, std::ios::in | std::ios::out);
    TestSession session;
    auto& source = session.Add("source", "text.source", nlohmann::json{{"path", path}}.dump());
    auto& sink = session.Add("sink", "text.sink");
    session.Connect("source", "sink");
    session.Start();
    writer << "half a line" << std::flush;
    source.Say(worker::Stop{});
    source.Next<worker::Finished>();
    sink.Next<worker::Finished>();
    EXPECT_EQ(source.Wait(), 0);
    EXPECT_EQ(sink.Output(), "");
    std::filesystem::remove(path);
  }
}

TEST_F(NativeWorker, AStopWakesASourceThatWaitsForADescriptor) {
  auto& source = session_.Add("source", "file.watch", R"({"path": "/"})");
  auto& sink = session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  session_.Start();
  source.Say(worker::Stop{});
  source.Next<worker::Finished>();
  sink.Next<worker::Finished>();
  EXPECT_EQ(source.Wait(), 0);
}

TEST_F(NativeWorker, ARuntimeThatGoesEndsASourceThatWaitsForADescriptor) {
  auto& source = session_.Add("source", "file.watch", R"({"path": "/"})");
  session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  session_.Start();
  source.control().Close();
  EXPECT_EQ(source.Wait(), 70);
}

TEST_F(NativeWorker, ATickComesWhileNoMessageDoesAndHasNoOrigin) {
  auto& source = session_.Add("source", "time.ticker", R"({"every": "1h", "text": "x"})");
  session_.Add("batch", "flow.batch", R"({"within": "1ms"})");
  auto& sink = session_.Add("sink", "json.sink");
  session_.Connect("source", "batch");
  session_.Connect("batch", "sink");
  session_.Start();
  const auto batch = nlohmann::json::parse(sink.OutputLine());  // while the source has an hour to wait
  EXPECT_EQ(batch["value"], nlohmann::json::array({"x"}));
  EXPECT_TRUE(batch["origin"].is_null());
  EXPECT_EQ(batch["time_ns"], 0);
  source.Say(worker::Stop{});
  sink.Next<worker::Finished>();
  EXPECT_EQ(sink.Output(), "");
}

TEST_F(NativeWorker, ReportsWhatANodeThrowsAndTheMessageItWasHandling) {
  session_.Add("source", "test.lines", R"({"count": 10})");
  auto& twice = session_.Add("twice", "test.twice", R"({"throw_at": "line   4"})");
  session_.Add("sink", "text.sink");
  session_.Connect("source", "twice");
  session_.Connect("twice", "sink");
  session_.Start();
  const auto failed = twice.Next<worker::Failed>();
  EXPECT_EQ(failed.phase, "process");
  EXPECT_EQ(failed.error, "std::out_of_range");
  EXPECT_EQ(failed.message, "no place for line   4");
  EXPECT_EQ(failed.edge, "source.out->twice.in");
  EXPECT_EQ(failed.sequence, 4U);
  EXPECT_EQ(twice.Wait(), 1);
}

TEST_F(NativeWorker, ASinkThatCannotWriteSaysThatItsOutputIsAtFault) {
  for (const auto* type : {"text.sink", "json.sink"}) {
    SCOPED_TRACE(type);
    TestSession session;
    session.Add("source", "test.lines", R"({"count": 3})");
    auto& sink = session.Add("sink", type, R"({"path": "/dev/full"})");
    session.Connect("source", "sink");
    session.Start();
    const auto failed = sink.Next<worker::Failed>();
    EXPECT_EQ(failed.phase, "output");
    EXPECT_EQ(failed.error, "exhausted");
    EXPECT_THAT(failed.message, HasSubstr("write to '/dev/full': No space left on device"));
    EXPECT_THAT(failed.message, HasSubstr("the disk mounted at '/dev' has "));
    EXPECT_EQ(failed.sequence, std::nullopt);
    EXPECT_EQ(sink.Wait(), 1);
  }
}

TEST_F(NativeWorker, ReportsWhatIsThrownThatIsNoException) {
  session_.Add("source", "test.lines", R"({"count": 10})");
  auto& twice = session_.Add("twice", "test.twice", R"({"throw_at": "line   4", "throw_number": true})");
  session_.Add("sink", "text.sink");
  session_.Connect("source", "twice");
  session_.Connect("twice", "sink");
  session_.Start();
  const auto failed = twice.Next<worker::Failed>();
  EXPECT_EQ(failed.phase, "process");
  EXPECT_EQ(failed.error, "int");
  EXPECT_THAT(failed.message, HasSubstr("not a std::exception"));
  EXPECT_EQ(failed.sequence, 4U);
  EXPECT_EQ(twice.Wait(), 1);
}

class RestartedSink : public NativeWorker {
 protected:
  RestartedSink() {
    std::ofstream(file_) << "line a\nline b\nli";  // killed while it wrote
    session_.Add("source", "test.lines", R"({"count": 2})");
    auto& sink = session_.Add("sink", "text.sink", nlohmann::json{{"path", file_.string()}}.dump());
    session_.Connect("source", "sink");
    sink.configure.attempt = 1;
    sink.configure.restart = worker::Restartable{.state = memory_.fd().get()};
  }
  ~RestartedSink() override { std::filesystem::remove(file_); }

  auto Written() const -> std::string {
    std::ifstream stream(file_);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::filesystem::path file_ =
      std::filesystem::temp_directory_path() / fmt::format("penstock-native-worker-test-{}", ::getpid());
  transport::StateMemory memory_ = transport::StateMemory::Create(1, 0).value();
};

TEST_F(RestartedSink, GoesOnAfterTheLastLineThatWasAccountedFor) {
  ASSERT_TRUE(memory_.Keep(std::array<std::uint64_t, 1>{0}, {}, 0, "7"));
  session_.Start();
  session_.worker("sink").Next<worker::Finished>();
  EXPECT_EQ(Written(), "line a\nline   0\nline   1\n");
  EXPECT_EQ(memory_.Load().value()->bytes, "25");
  EXPECT_EQ(memory_.Load().value()->inputs.front(), 2U);
}

TEST_F(RestartedSink, DoesNotWriteAMessageThatItsStateIncludes) {
  ASSERT_TRUE(memory_.Keep(std::array<std::uint64_t, 1>{1}, {}, 0, "14"));
  session_.Start();
  session_.worker("sink").Next<worker::Finished>();
  EXPECT_EQ(Written(), "line a\nline b\nline   1\n");
  EXPECT_EQ(session_.control(0)->acked, 2U);
}

TEST_F(RestartedSink, AStateThatIsDamagedEndsItWithASentence) {
  ASSERT_TRUE(memory_.Keep(std::array<std::uint64_t, 1>{0}, {}, 0, "7"));
  struct stat status{};
  ASSERT_EQ(::fstat(memory_.fd().get(), &status), 0);
  auto bytes = base::Mapping::Map(memory_.fd(), static_cast<std::size_t>(status.st_size)).value();
  std::memset(static_cast<char*>(bytes.data()) + 4096, 0xff, bytes.size() - 4096);
  session_.Configure();
  auto& sink = session_.worker("sink");
  auto message = sink.Receive();
  while (!std::holds_alternative<worker::Failed>(message)) message = sink.Receive();
  const auto& failed = std::get<worker::Failed>(message);
  EXPECT_EQ(failed.phase, "restore");
  EXPECT_EQ(failed.error, "peer corrupt");
  EXPECT_THAT(failed.message, HasSubstr("what the node had kept of its state is damaged"));
  EXPECT_EQ(sink.Wait(), 1);
}

TEST_F(NativeWorker, ASourceThatDoesNotSayHowItGoesOnCannotBeRestarted) {
  const auto memory = transport::StateMemory::Create(0, 1).value();
  auto& source = session_.Add("source", "test.lines");
  session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  source.configure.restart = worker::Restartable{.state = memory.fd().get()};
  session_.Configure();
  auto message = source.Receive();
  while (!std::holds_alternative<worker::Failed>(message)) message = source.Receive();
  EXPECT_EQ(std::get<worker::Failed>(message).phase, "setup");
  EXPECT_THAT(std::get<worker::Failed>(message).message, HasSubstr("test.lines cannot be restarted"));
}

TEST_F(NativeWorker, NamesTheNodesItKnowsWhenAskedForAnother) {
  const auto failed = Failure("text.snik");
  EXPECT_EQ(failed.phase, "import");
  EXPECT_EQ(failed.message,
            "there is no native node 'text.snik'; known are debug.tap, file.watch, flow.batch, flow.merge, flow.rate, "
            "flow.tee, json.sink, json.source, message.source, test.blobs, test.lines, test.sleeper, test.twice, "
            "text.sink, text.source, time.ticker");
}

TEST_F(NativeWorker, RefusesParamsThatTheNodeDoesNotHave) {
  const auto failed = Failure("text.sink", R"({"file": "x", "path": 3})");
  EXPECT_EQ(failed.phase, "setup");
  EXPECT_THAT(failed.message,
              HasSubstr("params of text.sink: 'path' must be a string, not 3; unknown parameter 'file' (known: path)"));
}

TEST_F(NativeWorker, RefusesAConnectionToAPortThatTheNodeDoesNotHave) {
  session_.Add("source", "test.lines");
  auto& sink = session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  sink.configure.inputs.front().port = "caption";
  session_.Configure();
  const auto first = sink.Receive();
  const auto failed =
      std::holds_alternative<worker::Failed>(first) ? std::get<worker::Failed>(first) : sink.Next<worker::Failed>();
  EXPECT_THAT(failed.message, HasSubstr("text.sink has no input 'caption'; its inputs are 'in'"));
}

TEST_F(NativeWorker, ReportsPortsThatCannotBeOpened) {
  session_.Add("source", "test.lines");
  auto& sink = session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  const auto not_a_block = transport::Doorbell::Create().value();
  sink.configure.inputs.front().edge.control = not_a_block.fd().get();
  session_.Configure();
  const auto failed = sink.Next<worker::Failed>();
  EXPECT_EQ(failed.phase, "ports");
  EXPECT_THAT(failed.message, HasSubstr("edge 'source.out->sink.in'"));
  EXPECT_EQ(sink.Wait(), 1);
}

TEST_F(NativeWorker, EndsAtOnceWhenItsRuntimeIsGone) {
  auto& source = session_.Add("source", "test.sleeper");
  auto& sink = session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  session_.Start();
  source.control().Close();
  sink.control().Close();
  EXPECT_EQ(source.Wait(), 70);
  EXPECT_EQ(sink.Wait(), 70);
}

TEST_F(NativeWorker, SaysThatItDoesNotUnderstandItsRuntimeAndEnds) {
  auto& source = session_.Add("source", "test.sleeper");
  session_.Add("sink", "text.sink");
  session_.Connect("source", "sink");
  session_.Start();
  ASSERT_TRUE(source.control().Send(R"({"v": 1, "type": "dance"})"));
  EXPECT_THAT(source.Next<worker::Failed>().message, HasSubstr("a 'dance' packet is malformed"));
  EXPECT_EQ(source.Wait(), 70);
}

TEST_F(NativeWorker, GoesOnWithoutAProducerThatWasGivenUp) {
  session_.Add("killed", "test.sleeper");
  session_.Add("other", "test.lines", R"({"count": 5})");
  auto& sink = session_.Add("sink", "text.sink");
  session_.Connect("killed", "sink");
  session_.Connect("other", "sink");
  session_.Start();
  sink.Say(worker::Peer{.edge = "killed.out->sink.in", .state = worker::Peer::State::kGone});
  sink.Next<worker::Finished>();
  EXPECT_EQ(Lines(sink.Output()).size(), 5U);
}

}  // namespace
}  // namespace penstock::nodes::native
