#include "cli/paragraph.h"

#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

TEST(Paragraph, IsBrokenBeforeItsWidth) {
  EXPECT_EQ(Paragraph("one two three", 2, 9), "  one two\n  three\n");
  EXPECT_EQ(Paragraph("one two three", 2, 0), "  one two three\n");
  EXPECT_EQ(Paragraph("äöü äöü", 0, 7), "äöü äöü\n") << "letters count, not bytes";
}

TEST(Paragraph, KeepsLongWordsWholeAndLinesThatAreGiven) {
  EXPECT_EQ(Paragraph("see /a/very/long/path now", 1, 8), " see\n /a/very/long/path\n now\n");
  EXPECT_EQ(Paragraph("first\nsecond", 1, 80), " first\n second\n");
  EXPECT_EQ(Paragraph("", 4, 80), "");
}

}  // namespace
}  // namespace penstock::cli
