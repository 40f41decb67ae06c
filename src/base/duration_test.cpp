#include "base/duration.h"

#include <gtest/gtest.h>

namespace penstock::base {
namespace {

using namespace std::chrono_literals;

TEST(Duration, HasAUnitOrIsInSeconds) {
  EXPECT_EQ(ParseDuration("250ms"), 250ms);
  EXPECT_EQ(ParseDuration("1.5 s"), 1500ms);
  EXPECT_EQ(ParseDuration("5m"), 5min);
  EXPECT_EQ(ParseDuration("7us"), 7us);
  EXPECT_EQ(ParseDuration("7µs"), 7us);
  EXPECT_EQ(ParseDuration("+.5h"), 30min);
  EXPECT_EQ(ParseDuration("1e3ns"), 1us);
  EXPECT_EQ(ParseDuration("2"), 2s);
  EXPECT_EQ(ParseDuration("0"), 0s);
  EXPECT_EQ(ParseDuration("168h"), kLongestDuration);
}

TEST(Duration, AnythingElseIsNone) {
  for (const auto* text : {"", "ms", "-1s", "1 sec", "1d", "169h", "inf", "nan", "1e", "1s ", " 1s", "0x10", "1e999"})
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
}

}  // namespace
}  // namespace penstock::base
