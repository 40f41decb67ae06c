#include "session/suggestion.h"

#include <gtest/gtest.h>

namespace penstock::session {
namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;

TEST(Suggestion, OfMemoryIsHalfAsMuchAgainWhenNobodyKnowsTheNeed) {
  EXPECT_EQ(SufficientMemoryMb(128, 128 * kMebibyte, {}), 192U);
  EXPECT_EQ(SufficientMemoryMb(1000, 0, {}), 1536U);
}

TEST(Suggestion, OfMemoryCoversWhatWasAskedFor) {
  EXPECT_EQ(SufficientMemoryMb(128, 60 * kMebibyte, 2048 * kMebibyte), 2688U);
}

TEST(Suggestion, OfCoresIsWhatWouldNotHaveBeenThrottled) {
  // A busy thread that ran 10 ms of every 100 ms.
  EXPECT_DOUBLE_EQ(
      SufficientCores(0.1, {.usage_ns = 0, .periods = 50, .throttled = 50, .throttled_ns = 4'500'000'000}, 8), 1.0);
  EXPECT_DOUBLE_EQ(
      SufficientCores(1, {.usage_ns = 0, .periods = 50, .throttled = 25, .throttled_ns = 1'000'000'000}, 8), 1.3);
}

TEST(Suggestion, OfCoresEndsAtTheHosts) {
  EXPECT_DOUBLE_EQ(
      SufficientCores(1, {.usage_ns = 0, .periods = 50, .throttled = 50, .throttled_ns = 50'000'000'000}, 2), 2);
}

TEST(Suggestion, OfPidsHasHeadroomBeyondWhatWasRefused) {
  EXPECT_EQ(SufficientPids(64, 1), 96U);
  EXPECT_EQ(SufficientPids(256, 100), 448U);
}

TEST(Suggestion, KnowsWhatNumpyAskedFor) {
  EXPECT_EQ(AskedBytes("Unable to allocate 2.00 GiB for an array with shape (268435456,) and data type float64"),
            2048 * kMebibyte);
  EXPECT_EQ(AskedBytes("Unable to allocate 512. MiB for an array"), 512 * kMebibyte);
  EXPECT_FALSE(AskedBytes("Unable to allocate much"));
  EXPECT_FALSE(AskedBytes(""));
}

}  // namespace
}  // namespace penstock::session
