// Nodes that pass messages on: what comes out of them, and what they say of wrong parameters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/log.h"
#include "nodes/flow/batch.h"
#include "nodes/flow/pass.h"
#include "nodes/flow/rate.h"
#include "nodes/flow/tap.h"
#include "nodes/testing/recording_context.h"

namespace penstock::nodes::flow {
namespace {

using namespace std::chrono_literals;
using message::Kind;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MemoryReceived;
using testing::RecordingContext;
using testing::TextMessage;

auto AudioHeader() -> message::Header {
  message::Header header;
  header.kind = Kind::kAudio;
  header.flags = message::kFlagHasMediaTime;
  header.media_time_ns = 1'250'000'000;
  header.sequence = 7;
  header.dtype = {.code = 2, .bits = 32, .lanes = 1};
  header.rate = 16000;
  header.dimensions = 2;
  header.shape = {2, 1};
  return header;
}

template <class Flow>
auto ProblemOf(const json& params) -> std::string {
  const auto status = Flow().Setup(params);
  return status ? "no problem" : status.error().message();
}

template <class... Texts>
void Give(Node& node, RecordingContext& context, const Texts&... texts) {
  for (const auto* text : {texts...}) ASSERT_TRUE(node.Process(context, "in", TextMessage(text)));
}

class Logged : public ::testing::Test {
 protected:
  Logged() {
    base::SetLogSink([this](base::LogLevel level, std::string_view text) {
      lines_.push_back(fmt::format("{}: {}", base::ToString(level), text));
    });
  }
  ~Logged() override {
    base::SetLogSink([](base::LogLevel, std::string_view) {});
  }
  std::vector<std::string> lines_;
};

TEST(Forward, KeepsContentShapeTimeAndMetadataAndCopiesThemOnce) {
  Merge node;
  ASSERT_TRUE(node.Setup(json()));
  RecordingContext context;
  const auto header = AudioHeader();
  ASSERT_TRUE(node.Process(context, "in", std::make_unique<MemoryReceived>(header, "12345678", R"({"a": 1})")));
  ASSERT_EQ(context.published.size(), 1U);
  const auto& sent = context.published[0]->header();
  EXPECT_TRUE(message::Validate(sent, context.published[0]->bytes().size()));
  EXPECT_EQ(sent.kind, Kind::kAudio);
  EXPECT_EQ(sent.flags, message::kFlagHasMediaTime);
  EXPECT_EQ(sent.media_time_ns, header.media_time_ns);
  EXPECT_EQ(sent.rate, 16000U);
  EXPECT_EQ(sent.dtype.bits, 32);
  EXPECT_EQ(sent.shape, header.shape);
  EXPECT_EQ(context.payload(0), "12345678");
  EXPECT_EQ(context.metadata(0), R"({"a": 1})");
}

TEST(Tee, SendsAtEachConnectedOutputAndNoOther) {
  Tee node;
  ASSERT_TRUE(node.Setup(json::object()));
  RecordingContext context;
  context.connected = {"out0", "out3", "out7"};
  Give(node, context, "a", "b");
  EXPECT_THAT(context.outputs, ElementsAre("out0", "out3", "out7", "out0", "out3", "out7"));
  EXPECT_THAT(context.payloads(), ElementsAre("a", "a", "a", "b", "b", "b"));
  EXPECT_EQ(ProblemOf<Tee>({{"outputs", 3}}), "params of flow.tee: unknown parameter 'outputs' (known: none)");
  EXPECT_EQ(ProblemOf<Merge>({{"inputs", 3}}), "params of flow.merge: unknown parameter 'inputs' (known: none)");
}

TEST_F(Logged, TapSaysWhatPassesAndPassesItOn) {
  Tap node;
  ASSERT_TRUE(node.Setup(json::object()));
  RecordingContext context;
  ASSERT_TRUE(node.Process(context, "in", std::make_unique<MemoryReceived>(AudioHeader(), "12345678", "{}")));
  Give(node, context, "hello");
  EXPECT_THAT(lines_,
              ElementsAre("info: message 7: Audio float32 (2, 1) at 16000 Hz, 8 bytes, at 1.250 s, with 2 bytes "
                          "of metadata",
                          "info: message 0: Text, 5 bytes"));
  EXPECT_THAT(context.payloads(), ElementsAre("12345678", "hello"));
}

TEST_F(Logged, TapSaysOneOfSoMany) {
  Tap node;
  ASSERT_TRUE(node.Setup({{"every", 3}}));
  RecordingContext context;
  Give(node, context, "1", "2", "3", "4", "5");
  EXPECT_EQ(lines_.size(), 2U);
  EXPECT_EQ(context.published.size(), 5U);
}

TEST(Tap, TextIsOneLineAndNeverCutInsideOfACharacter) {
  EXPECT_THAT(DescribeMessage(*TextMessage("two\n\"lines\""), true), ::testing::EndsWith(R"(: "two\n\"lines\"")"));
  EXPECT_THAT(DescribeMessage(*TextMessage(R"({"a":1})", Kind::kJson), true), ::testing::EndsWith(R"(: "{\"a\":1}")"));
  std::string long_text(59, 'x');
  long_text += "äöü";  // the 60th byte is the first of two
  EXPECT_THAT(DescribeMessage(*TextMessage(long_text), true), ::testing::EndsWith("\"" + std::string(59, 'x') + "\"…"));
  EXPECT_THAT(DescribeMessage(*TextMessage("\xff"), true), ::testing::EndsWith("\"\xEF\xBF\xBD\""));
  EXPECT_EQ(DescribeMessage(*TextMessage("secret"), false), "message 0: Text, 6 bytes");
}

TEST(Tap, EachWrongParameterIsNamed) {
  EXPECT_EQ(ProblemOf<Tap>({{"every", 0}, {"text", "yes"}, {"n", 1}}),
            "params of debug.tap: 'every' must be a whole number from 1, not 0; 'text' must be true or false, not "
            "\"yes\"; unknown parameter 'n' (known: every, text)");
}

TEST(RateLimit, OneMessagePassesInEachIntervalHoweverUnevenlyTheyCome) {
  RateLimit limit(100ms);
  const RateLimit::Time start{};
  std::vector<int> passed;
  for (const int ms : {0, 34, 67, 101, 134, 166, 199, 233, 266, 301, 333}) {
    const auto now = start + std::chrono::milliseconds(ms);
    if (limit.NextAt(now) != now) continue;
    limit.Pass(now);
    passed.push_back(ms);
  }
  EXPECT_THAT(passed, ElementsAre(0, 101, 233, 301));
}

TEST(RateLimit, APauseGivesNoRightToMoreMessagesAfterIt) {
  RateLimit limit(100ms);
  const RateLimit::Time start{};
  limit.Pass(start);
  limit.Pass(start + 10s);
  EXPECT_EQ(limit.NextAt(start + 10s), start + 10s + 100ms);
}

TEST_F(Logged, RateDropsWhatIsTooMuchAndSaysHowMuchThatWas) {
  Rate node;
  ASSERT_TRUE(node.Setup({{"per_second", 1e-6}}));
  RecordingContext context;
  Give(node, context, "1", "2", "3");
  ASSERT_TRUE(node.Finish(context));
  EXPECT_THAT(context.payloads(), ElementsAre("1"));
  EXPECT_THAT(context.waits, IsEmpty());
  EXPECT_THAT(lines_, ElementsAre("info: 2 of 3 messages left out"));
}

TEST_F(Logged, RateThatWaitsLetsAllPassAtTimesThatDoNotDrift) {
  Rate node;
  ASSERT_TRUE(node.Setup({{"per_second", 0.001}, {"policy", "wait"}}));
  RecordingContext context;
  Give(node, context, "1", "2", "3", "4");
  ASSERT_TRUE(node.Finish(context));
  EXPECT_THAT(context.payloads(), ElementsAre("1", "2", "3", "4"));
  ASSERT_EQ(context.waits.size(), 3U);
  EXPECT_EQ(context.waits[1] - context.waits[0], 1000s);
  EXPECT_EQ(context.waits[2] - context.waits[1], 1000s);
  EXPECT_THAT(lines_, IsEmpty());
}

TEST(Rate, EachWrongParameterIsNamed) {
  EXPECT_EQ(ProblemOf<Rate>(json::object()),
            "params of flow.rate: 'per_second' is required (a number above 0, to 1000000)");
  for (const auto& value : {json(0), json(-2), json(2e6), json("10")}) {
    EXPECT_EQ(ProblemOf<Rate>({{"per_second", value}}),
              "params of flow.rate: 'per_second' must be a number above 0, to 1000000, not " + value.dump());
  }
  EXPECT_EQ(ProblemOf<Rate>({{"per_second", 1}, {"policy", "block"}, {"rate", 1}}),
            "params of flow.rate: 'policy' must be drop or wait, not \"block\"; unknown parameter 'rate' (known: "
            "per_second, policy)");
}

TEST(Batch, IsSentWhenItHasItsSizeAndTheRestAtTheEnd) {
  Batch node;
  ASSERT_TRUE(node.Setup({{"size", 2}}));
  RecordingContext context;
  auto timed = message::Header{};
  timed.kind = Kind::kJson;
  timed.flags = message::kFlagHasMediaTime;
  timed.media_time_ns = 5;
  ASSERT_TRUE(node.Process(context, "in", std::make_unique<MemoryReceived>(timed, R"({"a": [1, 2.50]})")));
  EXPECT_EQ(node.next_tick(), std::nullopt);
  Give(node, context, "two \"words\"\n", "three");
  ASSERT_TRUE(node.Finish(context));
  ASSERT_TRUE(node.Finish(context));  // an empty one is not sent
  EXPECT_THAT(context.payloads(), ElementsAre(R"([{"a": [1, 2.50]},"two \"words\"\n"])", R"(["three"])"));
  const auto& header = context.published[0]->header();
  EXPECT_EQ(header.kind, Kind::kJson);
  EXPECT_EQ(header.flags, message::kFlagHasMediaTime);
  EXPECT_EQ(header.media_time_ns, 5);
  EXPECT_EQ(context.published[1]->header().flags, 0);
}

TEST(Batch, IsDueSoLongAfterItsFirstMessage) {
  Batch node;
  ASSERT_TRUE(node.Setup({{"within", "1h"}}));
  RecordingContext context;
  EXPECT_EQ(node.next_tick(), std::nullopt);
  const auto before = base::Deadline::Clock::now();
  Give(node, context, "1");
  const auto due = node.next_tick();
  ASSERT_TRUE(due);
  EXPECT_GE(*due, before + 1h);
  Give(node, context, "2", "3");
  EXPECT_EQ(node.next_tick(), due);
  ASSERT_TRUE(node.Tick(context));
  EXPECT_THAT(context.payloads(), ElementsAre(R"(["1","2","3"])"));
  EXPECT_EQ(node.next_tick(), std::nullopt);
}

TEST(Batch, ASuccessorGoesOnWithWhatWasCollected) {
  for (const bool with_time : {false, true}) {
    const json params{{"size", 3}, {"within", 1}};
    Batch failed;
    RecordingContext context;
    ASSERT_TRUE(failed.Setup(params));
    auto header = message::Header{};
    header.kind = Kind::kText;
    header.flags = with_time ? message::kFlagHasMediaTime : std::uint8_t{0};
    header.media_time_ns = -7;
    ASSERT_TRUE(failed.Process(context, "in", std::make_unique<MemoryReceived>(header, "a b")));
    Give(failed, context, "2");

    Batch next;
    ASSERT_TRUE(next.Resume(params));
    ASSERT_TRUE(next.Restore(failed.Checkpoint()));
    EXPECT_TRUE(next.next_tick());
    Give(next, context, "3");
    EXPECT_THAT(context.payloads(), ElementsAre(R"(["a b","2","3"])"));
    EXPECT_EQ(context.published[0]->header().flags, header.flags);
    EXPECT_EQ(context.published[0]->header().media_time_ns, with_time ? -7 : 0);
  }
}

TEST(Batch, AnEmptyStateIsOneToo) {
  Batch node;
  RecordingContext context;
  ASSERT_TRUE(node.Setup({{"within", 1}}));
  ASSERT_TRUE(node.Restore(Batch().Checkpoint()));
  EXPECT_FALSE(node.next_tick());
  Give(node, context, "1");
  ASSERT_TRUE(node.Finish(context));
  EXPECT_THAT(context.payloads(), ElementsAre(R"(["1"])"));
}

TEST(Batch, AStateThatIsDamagedIsRefused) {
  for (const auto* state : {"", "1", "1 2", "x - a", "1 x a", "-1 - a", "1  a"}) {
    Batch node;
    const auto status = node.Restore(state);
    ASSERT_FALSE(status) << state;
    EXPECT_EQ(status.error().code(), base::ErrorCode::kPeerCorrupt);
  }
}

TEST(Batch, OtherKindsAndWhatIsNoJsonAreRefused) {
  Batch node;
  ASSERT_TRUE(node.Setup({{"size", 2}}));
  RecordingContext context;
  auto status = node.Process(context, "in", std::make_unique<MemoryReceived>(AudioHeader(), "12345678"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "flow.batch takes Text or Json at input 'in', but received Audio");
  status = node.Process(context, "in", TextMessage("{", Kind::kJson));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "the Json message 0 at input 'in' holds no JSON");
}

TEST(Batch, EachWrongParameterIsNamed) {
  EXPECT_EQ(ProblemOf<Batch>(json::object()),
            "params of flow.batch: give 'size' (a whole number from 1), 'within' (a duration such as \"200ms\"), or "
            "both");
  EXPECT_EQ(ProblemOf<Batch>({{"size", 0}, {"within", "later"}, {"count", 3}}),
            "params of flow.batch: 'size' must be a whole number from 1, not 0; 'within' must be a duration above 0, "
            "such as \"200ms\", not \"later\"; unknown parameter 'count' (known: size, within)");
}

}  // namespace
}  // namespace penstock::nodes::flow
