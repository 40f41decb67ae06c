#include "nodes/sources/line_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace penstock::nodes::sources {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

void TakeLines(LineSplitter& splitter, std::vector<std::string>& lines) {
  while (const auto line = splitter.Next()) lines.emplace_back(*line);
}

// All lines of `text`, fed in pieces of that many bytes.
auto LinesOf(std::string_view text, std::size_t piece_bytes, LineSplitter splitter = {}) -> std::vector<std::string> {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto piece = text.substr(0, piece_bytes);
    splitter.Feed(piece);
    text.remove_prefix(piece.size());
    TakeLines(splitter, lines);
  }
  if (const auto last = splitter.Last()) lines.emplace_back(*last);
  EXPECT_EQ(splitter.Last(), std::nullopt) << "it was taken";
  return lines;
}

auto ThatSkips() -> LineSplitter {
  LineSplitter splitter;
  splitter.SkipFirst();
  return splitter;
}

TEST(LineSplitterTest, LinesAreTheSameHoweverTheTextIsCutIntoPieces) {
  constexpr std::string_view kText = "one\r\n\ntwo and \r a half\n\r\nlast";
  for (std::size_t piece = 1; piece <= kText.size(); ++piece) {
    SCOPED_TRACE(piece);
    EXPECT_THAT(LinesOf(kText, piece), ElementsAre("one", "", "two and \r a half", "", "last"));
  }
}

TEST(LineSplitterTest, ALineEndAtTheEndBeginsNoLine) {
  EXPECT_THAT(LinesOf("one\n", 64), ElementsAre("one"));
  EXPECT_THAT(LinesOf("\n", 64), ElementsAre(""));
  EXPECT_THAT(LinesOf("", 64), IsEmpty());
}

TEST(LineSplitterTest, ALastLineThatIsNotEndedIsALine) {
  EXPECT_THAT(LinesOf("one\ntwo\r", 64), ElementsAre("one", "two"));
}

TEST(LineSplitterTest, ALineIsThereAsSoonAsItEnds) {
  LineSplitter splitter;
  std::vector<std::string> lines;
  splitter.Feed("one\ntw");
  TakeLines(splitter, lines);
  EXPECT_THAT(lines, ElementsAre("one"));
  splitter.Feed("o\n");
  TakeLines(splitter, lines);
  EXPECT_THAT(lines, ElementsAre("one", "two"));
}

TEST(LineSplitterTest, ALongLineStaysWhole) {
  const std::string longest(std::size_t{3} * 1024 * 1024, 'x');
  EXPECT_THAT(LinesOf(longest + "\nnext\n", 64 * 1024), ElementsAre(longest, "next"));
}

TEST(LineSplitterTest, WhatComesUpToTheFirstLineEndIsSkippedWhenAsked) {
  constexpr std::string_view kText = "the rest of a line\r\none\ntwo";
  for (std::size_t piece = 1; piece <= kText.size(); ++piece) {
    SCOPED_TRACE(piece);
    EXPECT_THAT(LinesOf(kText, piece, ThatSkips()), ElementsAre("one", "two"));
  }
  EXPECT_THAT(LinesOf("a rest without an end", 4, ThatSkips()), IsEmpty());
  EXPECT_THAT(LinesOf("\none\n", 64, ThatSkips()), ElementsAre("one"));
}

}  // namespace
}  // namespace penstock::nodes::sources
