#include "base/excerpt.h"

#include <gtest/gtest.h>

namespace penstock::base {
namespace {

TEST(Excerpt, OfAShortTextIsTheText) {
  Excerpt excerpt(4, 4);
  EXPECT_EQ(excerpt.Show(), "");
  excerpt.Add("abc");
  excerpt.Add("defgh");
  EXPECT_EQ(excerpt.Show(), "abcdefgh");
}

TEST(Excerpt, OfALongTextIsItsBeginningAndItsEnd) {
  Excerpt excerpt(4, 4);
  excerpt.Add("abcdefghi");
  EXPECT_EQ(excerpt.Show(), "abcd\n[… 1 bytes …]\nfghi");
  for (int i = 0; i < 1000; ++i) excerpt.Add("0123456789");
  EXPECT_EQ(excerpt.Show(), "abcd\n[… 10001 bytes …]\n6789");
}

}  // namespace
}  // namespace penstock::base
