#include "transport/doorbell.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "transport/spin_budget.h"
#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using base::Deadline;
using testing::Must;

class DoorbellTest : public testing::Watched {};

TEST_F(DoorbellTest, WaiterWakesWhenTheConditionCameTrueBeforeTheRing) {
  auto here = Must(Doorbell::Create());
  auto there = testing::DuplicateBell(here);
  std::atomic<int> rounds{0};
  std::jthread ringer([&] {
    for (int i = 0; i < 2000; ++i) {
      while (rounds.load() % 2 != 0) std::this_thread::yield();
      rounds.fetch_add(1);
      there.arrivals().Ring();
    }
  });
  for (int i = 0; i < 2000; ++i) {
    EXPECT_TRUE(WaitAt(here.arrivals(), Deadline::Never(), 0, [&] { return rounds.load() % 2 == 1; }));
    rounds.fetch_add(1);
  }
}

TEST_F(DoorbellTest, WaitEndsAtTheDeadline) {
  auto bell = Must(Doorbell::Create());
  const auto deadline = Deadline::In(std::chrono::milliseconds(5));
  EXPECT_FALSE(WaitAt(bell.credit(), deadline, 0, [] { return false; }));
  EXPECT_TRUE(deadline.passed()) << "not earlier";
  EXPECT_EQ(bell.credit().parked.load(), 0U);
}

TEST_F(DoorbellTest, RingOfOneBellDoesNotTouchTheOther) {
  auto bell = Must(Doorbell::Create());
  bell.arrivals().Ring();
  EXPECT_EQ(bell.arrivals().word.load(), 1U);
  EXPECT_EQ(bell.credit().word.load(), 0U);
}

TEST_F(DoorbellTest, SpinningSeesARingWithoutSleeping) {
  auto bell = Must(Doorbell::Create());
  EXPECT_FALSE(SpinAt(bell.arrivals(), 0, 1000));
  bell.arrivals().Ring();
  EXPECT_TRUE(SpinAt(bell.arrivals(), 0, 1'000'000'000));
}

TEST(SpinBudgetTest, FewCoresNeverSpin) {
  SpinBudget budget(SpinBudget::kFewCores - 1);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(budget.Next(), 0U);
}

TEST(SpinBudgetTest, MissesEndSpinningAndHitsBringItBack) {
  SpinBudget budget(SpinBudget::kFewCores);
  EXPECT_GT(budget.Next(), 0U);
  int spun = 0;
  for (int i = 0; i < 1000; ++i) {
    if (budget.Next() == 0) continue;
    budget.Learn(false);
    ++spun;
  }
  EXPECT_LT(spun, 40) << "only now and then, to notice better times";
  EXPECT_GT(spun, 0);
  for (int i = 0; i < 1000; ++i) {
    if (budget.Next() != 0) budget.Learn(true);
  }
  EXPECT_GT(budget.Next(), 0U);
}

}  // namespace
}  // namespace penstock::transport
