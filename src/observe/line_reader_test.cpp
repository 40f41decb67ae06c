#include "observe/line_reader.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace penstock::observe {
namespace {

struct Collected {
  std::vector<std::string> lines;
  LineReader reader{[this](const LineReader::Line& line) { lines.emplace_back(line.text); }};
};

TEST(LineReader, KeepsALastLineWithoutItsEnd) {
  Collected got;
  got.reader.Feed("one\ntw");
  got.reader.Feed("o");
  EXPECT_EQ(got.lines, std::vector<std::string>{"one"});
  got.reader.End();
  EXPECT_EQ(got.lines, (std::vector<std::string>{"one", "two"}));
}

TEST(LineReader, CutsALineBeyondTheBoundIntoMarkedPieces) {
  std::vector<std::pair<std::size_t, bool>> pieces;
  LineReader reader([&](const LineReader::Line& line) { pieces.emplace_back(line.text.size(), line.continued); });
  reader.Feed(std::string(LineReader::kMaxLineBytes + 10, 'x') + "\nnext\n");
  EXPECT_EQ(pieces,
            (std::vector<std::pair<std::size_t, bool>>{{LineReader::kMaxLineBytes, true}, {10, false}, {4, false}}));
}

RC_GTEST_PROP(LineReader, GivesTheSameLinesHoweverTheBytesArriveInPieces, (const std::vector<std::string>& pieces)) {
  std::string all;
  Collected at_once;
  Collected in_pieces;
  for (const auto& piece : pieces) {
    all += piece;
    in_pieces.reader.Feed(piece);
  }
  in_pieces.reader.End();
  at_once.reader.Feed(all);
  at_once.reader.End();
  RC_ASSERT(at_once.lines == in_pieces.lines);
  std::string joined;
  for (const auto& line : at_once.lines) joined += line + "\n";
  if (!all.empty() && all.back() != '\n') all += '\n';
  RC_ASSERT(joined == all);
}

}  // namespace
}  // namespace penstock::observe
