#include "nodes/sources/ticker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/testing/recording_context.h"

namespace penstock::nodes::sources {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::RecordingContext;

auto ProblemOf(const json& params) -> std::string {
  const auto status = Ticker().Setup(params);
  return status ? "no problem" : status.error().message();
}

TEST(Ticker, TicksAreDueByTheStartSoThatTheyDoNotDrift) {
  Ticker ticker;
  ASSERT_TRUE(ticker.Setup({{"every", "1h"}, {"count", 4}}));
  RecordingContext context;
  ASSERT_TRUE(ticker.Run(context));
  ASSERT_EQ(context.waits.size(), 4U);
  ASSERT_EQ(context.published.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(context.waits[i] - context.waits[0], static_cast<int>(i) * 1h);
    const auto& header = context.published[i]->header();
    EXPECT_TRUE(message::Validate(header, context.published[i]->bytes().size()));
    EXPECT_EQ(header.kind, message::Kind::kJson);
    EXPECT_NE(header.flags & message::kFlagHasMediaTime, 0);
    EXPECT_EQ(std::chrono::nanoseconds(header.media_time_ns), static_cast<int>(i) * 1h);
    const auto value = json::parse(context.payload(i));
    EXPECT_EQ(value["tick"], i);
    EXPECT_GT(value["unix_ns"], 0);
  }
}

TEST(Ticker, TicksThatWereMissedAreLeftOut) {
  Ticker ticker;
  ASSERT_TRUE(ticker.Setup({{"every", "1ns"}, {"count", 100}}));  // every message takes longer
  RecordingContext context;
  ASSERT_TRUE(ticker.Run(context));
  ASSERT_EQ(context.published.size(), 100U);
  std::int64_t last = -1;
  for (std::size_t i = 0; i < 100; ++i) {
    const auto tick = json::parse(context.payload(i))["tick"].get<std::int64_t>();
    EXPECT_GT(tick, last);
    EXPECT_EQ(context.published[i]->header().media_time_ns, tick);
    last = tick;
  }
  EXPECT_GT(last, 99);
}

TEST(Ticker, ATextIsSentInsteadAndMayBeEmpty) {
  for (const auto* text : {"go", ""}) {
    Ticker ticker;
    ASSERT_TRUE(ticker.Setup({{"every", 0.5}, {"text", text}, {"count", 1}}));
    RecordingContext context;
    ASSERT_TRUE(ticker.Run(context));
    ASSERT_EQ(context.published.size(), 1U);
    EXPECT_EQ(context.published[0]->header().kind, message::Kind::kText);
    EXPECT_EQ(context.payload(0), text);
  }
}

TEST(Ticker, AStopEndsTheWait) {
  Ticker ticker;
  ASSERT_TRUE(ticker.Setup({{"every", 1}}));
  RecordingContext context;
  context.refuse_wait_after = 3;
  ASSERT_TRUE(ticker.Run(context));
  EXPECT_EQ(context.published.size(), 3U);
}

TEST(Ticker, EachWrongParameterIsNamed) {
  EXPECT_EQ(ProblemOf(json::object()),
            "params of time.ticker: 'every' is required (a duration above 0, such as \"250ms\")");
  for (const auto& every : {json(0), json(-1), json("soon"), json("8d"), json(true), json("169h")}) {
    EXPECT_EQ(ProblemOf({{"every", every}}),
              "params of time.ticker: 'every' must be a duration above 0, such as \"250ms\", not " + every.dump());
  }
  for (const auto& count : {json(0), json(-1), json(1.5), json("3")}) {
    EXPECT_EQ(ProblemOf({{"every", 1}, {"count", count}}),
              "params of time.ticker: 'count' must be a whole number from 1, not " + count.dump());
  }
  EXPECT_EQ(ProblemOf({{"every", 1}, {"text", 7}}), "params of time.ticker: 'text' must be a text, not 7");
  EXPECT_EQ(ProblemOf({{"every", 1}, {"interval", 7}}),
            "params of time.ticker: unknown parameter 'interval' (known: every, count, text)");
}

}  // namespace
}  // namespace penstock::nodes::sources
