#include "session/handler_watch.h"

#include <gtest/gtest.h>

namespace penstock::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kTimeout{1000};
constexpr std::uint64_t kMs = 1'000'000;

auto Look(HandlerReading reading) { return LookAtHandler(kTimeout, reading); }
auto After(const std::variant<ReadAgain, HandlerExpired, HandlerWaits>& found) -> nanoseconds {
  return std::get<ReadAgain>(found);
}
auto Expired(const HandlerReading& reading) -> bool { return std::holds_alternative<HandlerExpired>(Look(reading)); }

TEST(HandlerWatch, AHandlerThatHangsIsFoundAtItsVeryDeadline) {
  EXPECT_EQ(After(Look({.now_ns = 5000 * kMs})), kTimeout);
  EXPECT_EQ(After(Look({.now_ns = 6000 * kMs, .since_ns = 5300 * kMs})), milliseconds(300));
  EXPECT_TRUE(Expired({.now_ns = 6300 * kMs, .since_ns = 5300 * kMs}));
}

TEST(HandlerWatch, ManyShortHandlersAreNone) {
  for (std::uint64_t now = 1000; now < 20'000; now += 900)
    EXPECT_EQ(After(Look({.now_ns = now * kMs, .since_ns = (now - 100) * kMs})), milliseconds(900));
}

TEST(HandlerWatch, AConsumerThatIsOnlySlowIsNotNamed) {
  for (std::uint64_t now = 1000; now < 20'000; now += 900) {
    const auto since = (now - 100) * kMs;
    EXPECT_EQ(After(Look({.now_ns = now * kMs, .since_ns = since, .waiting_since_ns = since})), kTimeout);
  }
}

TEST(HandlerWatch, TimeThatAConsumerTookIsNotTheHandlers) {
  const auto waiting = Look({.now_ns = 6500 * kMs, .since_ns = 5000 * kMs, .waiting_since_ns = 5400 * kMs});
  EXPECT_EQ(std::get<HandlerWaits>(waiting).again, milliseconds(600));
  EXPECT_EQ(After(Look({.now_ns = 7000 * kMs, .since_ns = 5000 * kMs, .blocked_ns = 1900 * kMs})), milliseconds(900));
  EXPECT_TRUE(Expired({.now_ns = 7900 * kMs, .since_ns = 5000 * kMs, .blocked_ns = 1900 * kMs}));
}

TEST(HandlerWatch, OneThatWaitsWithItsTimeNearlyUpIsNotReadWithoutPause) {
  const auto waiting = Look({.now_ns = 9000 * kMs, .since_ns = 5000 * kMs, .waiting_since_ns = 6000 * kMs});
  EXPECT_EQ(std::get<HandlerWaits>(waiting).again, milliseconds(25));
}

TEST(HandlerWatch, AnAccountThatRunsBackwardsDoesNoHarm) {
  EXPECT_EQ(After(Look({.now_ns = 5000 * kMs, .since_ns = 9000 * kMs, .blocked_ns = 500})), kTimeout);
  EXPECT_EQ(After(Look({.now_ns = 5000 * kMs, .since_ns = 4900 * kMs, .blocked_ns = ~0ULL})), kTimeout);
  EXPECT_EQ(After(Look({.now_ns = 5000 * kMs, .since_ns = 4900 * kMs, .waiting_since_ns = 9000 * kMs})),
            milliseconds(900));
}

}  // namespace
}  // namespace penstock::session
