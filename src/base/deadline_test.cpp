#include "base/deadline.h"

#include <gtest/gtest.h>

namespace penstock::base {
namespace {
using namespace std::chrono_literals;

TEST(Deadline, NeverHasNoTimeLeftToCount) {
  EXPECT_FALSE(Deadline::Never().remaining().has_value());
  EXPECT_FALSE(Deadline::Never().passed());
  EXPECT_EQ(Deadline::Never().poll_timeout_ms(), -1);
}

TEST(Deadline, PassedDeadlineHasZeroLeftNotLess) {
  const auto deadline = Deadline::In(-5s);
  EXPECT_TRUE(deadline.passed());
  EXPECT_EQ(deadline.remaining(), 0ns);
  EXPECT_EQ(deadline.poll_timeout_ms(), 0);
}

TEST(Deadline, PollTimeoutRoundsUpSoThatAWaitNeverEndsEarly) {
  EXPECT_GE(Deadline::In(1h).poll_timeout_ms(), 3'599'000);
  EXPECT_EQ(Deadline::In(10us).poll_timeout_ms(), 1);
}

}  // namespace
}  // namespace penstock::base
