#include "session/realm_numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace penstock::session {
namespace {
using base::ErrorCode;

class Numbers : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "numbers-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  auto Take(int count, int first = 400, int last = 409) const -> base::Expected<RealmNumbers> {
    return RealmNumbers::Take(directory_ / "realms", count, first, last);
  }
  std::filesystem::path directory_;
};

TEST_F(Numbers, AreNobodyElsesUntilTheirHolderGoes) {
  std::vector<RealmNumbers> held;
  std::set<int> seen;
  for (int i = 0; i < 10; ++i) {
    held.push_back(Take(1).value());
    EXPECT_GE(held.back().first(), 400);
    EXPECT_LE(held.back().first(), 409);
    EXPECT_TRUE(seen.insert(held.back().first()).second);
  }
  EXPECT_EQ(Take(1).error().code(), ErrorCode::kExhausted);
  const int freed = held[4].first();
  held.erase(held.begin() + 4);
  EXPECT_EQ(Take(1).value().first(), freed);
}

TEST_F(Numbers, AreInARow) {
  const auto four = Take(4).value();
  EXPECT_GE(four.first(), 400);
  EXPECT_LE(four.first() + 3, 409);
  for (int i = 0; i < 50; ++i) {
    const auto three = Take(3);
    if (!three) continue;
    EXPECT_TRUE(three->first() + 2 < four.first() || three->first() > four.first() + 3);
  }
}

TEST_F(Numbers, ThatDoNotFitAreRefusedWithWhatToDo) {
  EXPECT_EQ(Take(10).value().first(), 400);
  const auto refused = Take(11);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kExhausted);
  EXPECT_THAT(refused.error().message(), testing::HasSubstr("docker.resource_limits.nofile"));
}

TEST_F(Numbers, LeaveRoomForOtherSessionsAtEveryLimit) {
  for (int limit = 400; limit <= (1 << 20); limit = limit < 2100 ? limit + 1 : limit * 2) {
    for (const int count : {1, 8, 64}) {
      const auto [first, last] = RealmNumbers::RangeWithin(limit, count);
      const int above = std::max(limit - std::max(400, limit / 2), 0);  // that could be given at all
      EXPECT_GE(first, 400);
      EXPECT_LT(last, limit);
      EXPECT_GE(last - first + 1, (above + 1) / 2) << limit;
      EXPECT_TRUE(last - first + 1 >= count || above < count) << limit << " " << count;
    }
  }
}

TEST_F(Numbers, OfManySessionsFitIntoALimitOf512) {
  std::vector<RealmNumbers> held;
  const auto [first, last] = RealmNumbers::RangeWithin(512, 1);
  for (int i = 0; i < 50; ++i) {
    auto taken = Take(1, first, last);
    ASSERT_TRUE(taken) << i;
    held.push_back(std::move(*taken));
  }
}

TEST_F(Numbers, OfAnotherProcessAreTakenUntilItIsKilled) {
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto all = Take(10);
    [[maybe_unused]] const auto told = ::write(ready[1], all ? "y" : "n", 1);
    for (;;) ::pause();
  }
  char held = 0;
  ASSERT_EQ(::read(ready[0], &held, 1), 1);
  EXPECT_EQ(held, 'y');
  EXPECT_EQ(Take(1).error().code(), ErrorCode::kExhausted);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(Take(10));
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace penstock::session
