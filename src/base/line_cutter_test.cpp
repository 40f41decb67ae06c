#include "base/line_cutter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace penstock::base {
namespace {
using testing::ElementsAre;
using testing::StartsWith;

class Lines : public testing::Test {
 protected:
  void Feed(std::string_view piece) {
    cutter_.Feed(piece, [this](std::string_view line) { lines_.emplace_back(line); });
  }
  void Flush() {
    cutter_.Flush([this](std::string_view line) { lines_.emplace_back(line); });
  }
  LineCutter cutter_;
  std::vector<std::string> lines_;
};
constexpr auto kMost = LineCutter::kMostBytes;

TEST_F(Lines, EndWithALineFeedOrACarriageReturnInAnyPiece) {
  Feed("one\ntw");
  Feed("o\r\n\nthr");
  EXPECT_THAT(lines_, ElementsAre("one", "two"));
  Flush();
  EXPECT_THAT(lines_, ElementsAre("one", "two", "thr"));
}

TEST_F(Lines, OfTheLargestSizeAreWhole) {
  Feed(std::string(kMost, 'x'));
  Feed("\n");
  EXPECT_THAT(lines_, ElementsAre(std::string(kMost, 'x')));
}

TEST_F(Lines, ThatAreLongerAreCutAndSayByHowMuch) {
  Feed(std::string(kMost - 1, 'x') + "yz");
  for (int i = 0; i < 1000; ++i) Feed(std::string(8192, 'z'));
  Feed("\nnext\n");
  EXPECT_THAT(lines_, ElementsAre(std::string(kMost - 1, 'x') + "y [… 8192001 more bytes]", "next"));
}

TEST_F(Lines, WithoutAnEndAreCutAsWell) {
  Feed(std::string(kMost + 5, 'x'));
  Flush();
  Flush();
  EXPECT_THAT(lines_, ElementsAre(std::string(kMost, 'x') + " [… 5 more bytes]"));
}

TEST_F(Lines, AreNotCutWithinACharacter) {
  Feed(std::string(kMost - 2, 'x') + "€€\n");
  EXPECT_THAT(lines_, ElementsAre(std::string(kMost - 2, 'x') + " [… 6 more bytes]"));
  Feed(std::string(kMost - 3, 'x') + "€€\n");
  EXPECT_EQ(lines_.at(1), std::string(kMost - 3, 'x') + "€ [… 3 more bytes]");
  // Nothing of the kind in what is no text at all.
  Feed(std::string(kMost + 100, '\x80') + "\n");
  EXPECT_THAT(lines_.at(2), StartsWith(std::string(kMost - 4, '\x80') + " [… 104 more bytes]"));
}

}  // namespace
}  // namespace penstock::base
