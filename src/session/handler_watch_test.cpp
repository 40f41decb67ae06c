#include "session/handler_watch.h"

#include <gtest/gtest.h>

namespace penstock::session {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kTimeout{1000};

auto After(const std::variant<HandlerWatch::Again, HandlerWatch::Expired, HandlerWatch::Waits>& found) -> nanoseconds {
  return std::get<HandlerWatch::Again>(found);
}

TEST(HandlerWatch, AHandlerThatHangsIsFoundAtItsVeryDeadline) {
  HandlerWatch watch(kTimeout);
  EXPECT_EQ(After(watch.Look({.now_ns = 5000})), kTimeout);
  EXPECT_EQ(After(watch.Look({.now_ns = 6000, .since_ns = 5300})), nanoseconds(300));
  EXPECT_TRUE(std::holds_alternative<HandlerWatch::Expired>(watch.Look({.now_ns = 6300, .since_ns = 5300})));
}

TEST(HandlerWatch, ManyShortHandlersAreNone) {
  HandlerWatch watch(kTimeout);
  for (std::uint64_t now = 1000; now < 20'000; now += 900)
    EXPECT_EQ(After(watch.Look({.now_ns = now, .since_ns = now - 100})), nanoseconds(900));
}

TEST(HandlerWatch, AConsumerThatIsOnlySlowIsNotNamed) {
  HandlerWatch watch(kTimeout);
  for (std::uint64_t now = 1000; now < 20'000; now += 900)
    EXPECT_EQ(After(watch.Look({.now_ns = now, .since_ns = now - 100, .waits = true})), nanoseconds(900));
}

TEST(HandlerWatch, TimeThatAConsumerTookIsNotTheHandlers) {
  HandlerWatch watch(kTimeout);
  EXPECT_EQ(After(watch.Look({.now_ns = 5000, .blocked_ns = 70})), kTimeout);
  const auto waiting = watch.Look({.now_ns = 6000, .since_ns = 5000, .blocked_ns = 70, .waits = true});
  EXPECT_TRUE(std::holds_alternative<HandlerWatch::Waits>(waiting));
  EXPECT_EQ(After(watch.Look({.now_ns = 7000, .since_ns = 5000, .blocked_ns = 1970})), nanoseconds(900));
  const auto expired = watch.Look({.now_ns = 7900, .since_ns = 5000, .blocked_ns = 1970});
  EXPECT_TRUE(std::holds_alternative<HandlerWatch::Expired>(expired));
}

TEST(HandlerWatch, AnAccountThatRunsBackwardsDoesNoHarm) {
  HandlerWatch watch(kTimeout);
  EXPECT_EQ(After(watch.Look({.now_ns = 5000, .since_ns = 9000, .blocked_ns = 500})), kTimeout);
  EXPECT_EQ(After(watch.Look({.now_ns = 5000, .since_ns = 4900, .blocked_ns = 0})), nanoseconds(900));
}

}  // namespace
}  // namespace penstock::session
