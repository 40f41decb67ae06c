#include "session/restart_budget.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace penstock::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr RestartBudget::Clock::time_point kStart{};

TEST(RestartBudget, TheFirstRestartIsImmediateAndTheOthersWaitTwiceAsLongAsTheOneBefore) {
  RestartBudget budget({.max_attempts = 4, .backoff = milliseconds(100), .window = seconds(60)});
  for (const auto expected : {0, 100, 200, 400}) EXPECT_EQ(budget.Spend(kStart, 0), milliseconds(expected));
  EXPECT_EQ(budget.Spend(kStart, 0), std::nullopt);
  EXPECT_EQ(budget.spent(), 4U);
}

TEST(RestartBudget, WhatIsOlderThanTheWindowIsForgotten) {
  RestartBudget budget({.max_attempts = 1, .backoff = milliseconds(100), .window = seconds(60)});
  EXPECT_TRUE(budget.Spend(kStart, 0));
  EXPECT_FALSE(budget.Spend(kStart + seconds(59), 0));
  EXPECT_EQ(budget.Spend(kStart + seconds(60), 0), nanoseconds(0));
}

TEST(RestartBudget, JitterShortensByUpToAHalf) {
  RestartBudget budget({.max_attempts = 3, .backoff = milliseconds(100), .window = seconds(60)});
  EXPECT_TRUE(budget.Spend(kStart, 1));
  EXPECT_EQ(budget.Spend(kStart, 1), milliseconds(50));
  EXPECT_EQ(budget.Spend(kStart, 0.5), milliseconds(150));
}

TEST(RestartBudget, WhatIsForgivenMayBeSpentAgainAndABackoffAloneCountsNothing) {
  RestartBudget budget({.max_attempts = 1, .backoff = milliseconds(100), .window = seconds(60)});
  EXPECT_TRUE(budget.Spend(kStart, 0));
  EXPECT_EQ(budget.Backoff(1, 0), milliseconds(100));
  EXPECT_EQ(budget.Backoff(3, 0), milliseconds(400));
  EXPECT_EQ(budget.spent(), 1U);
  budget.Forgive();
  EXPECT_TRUE(budget.Spend(kStart, 0));
}

RC_GTEST_PROP(RestartBudgetProperty, NeverMoreThanAllowedWithinAnyWindowAndNeverSoonerThanHalfTheBackoff, ()) {
  const plan::Restart limits{.max_attempts = *rc::gen::inRange<std::uint32_t>(1, 8),
                             .backoff = milliseconds(*rc::gen::inRange(0, 100'000)),
                             .window = seconds(*rc::gen::inRange(1, 120))};
  RestartBudget budget(limits);
  std::vector<RestartBudget::Clock::time_point> restarts;
  auto now = kStart;
  for (const auto step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 60'000))) {
    now += milliseconds(step);
    const auto delay = budget.Spend(now, *rc::gen::inRange(0, 101) / 100.0);
    const auto recent =
        std::count_if(restarts.begin(), restarts.end(), [&](auto at) { return now - at < limits.window; });
    RC_ASSERT(delay.has_value() == (recent < static_cast<std::ptrdiff_t>(limits.max_attempts)));
    if (!delay) continue;
    RC_ASSERT(*delay >= (recent == 0 ? nanoseconds(0) : nanoseconds(limits.backoff) / 2));
    RC_ASSERT(*delay <= std::max<nanoseconds>(limits.backoff, RestartBudget::kLongestBackoff));
    restarts.push_back(now);
  }
}

}  // namespace
}  // namespace penstock::session
