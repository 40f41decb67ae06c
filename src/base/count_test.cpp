#include "base/count.h"

#include <gtest/gtest.h>

namespace penstock::base {
namespace {

TEST(Count, OneIsNoPlural) {
  EXPECT_EQ(Count(0, "message"), "0 messages");
  EXPECT_EQ(Count(1, "message"), "1 message");
  EXPECT_EQ(Count(2, "message"), "2 messages");
}

TEST(Count, SomeWordsHaveAPluralOfTheirOwn) {
  EXPECT_EQ(Count(1, "process", "processes"), "1 process");
  EXPECT_EQ(Count(3, "process", "processes"), "3 processes");
}

}  // namespace
}  // namespace penstock::base
