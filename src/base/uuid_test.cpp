#include "base/uuid.h"

#include <gtest/gtest.h>

#include <set>

namespace penstock::base {
namespace {

TEST(Uuid, IsVersion7AndUniqueAndOrderedByTime) {
  std::set<std::string> seen;
  std::string last_prefix;
  for (int i = 0; i < 10'000; ++i) {
    const auto id = NewUuidV7();
    EXPECT_TRUE(IsUuid(id));
    EXPECT_EQ(id[14], '7');
    EXPECT_GE(id.substr(0, 13), last_prefix);
    last_prefix = id.substr(0, 13);
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(Uuid, RefusesWhatOnlyLooksLikeOne) {
  EXPECT_FALSE(IsUuid(""));
  EXPECT_FALSE(IsUuid("0190163d-8694-739b-aea5-966c26f8ad9"));
  EXPECT_FALSE(IsUuid("0190163d-8694-739b-aea5-966c26f8adXX"));
}

}  // namespace
}  // namespace penstock::base
