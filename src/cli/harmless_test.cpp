#include "cli/harmless.h"

#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

using namespace std::string_view_literals;

TEST(Harmless, LeavesTextAsItIs) {
  for (const auto text : {"", "plain", "tab\tand\ntwo lines\n", "äöü € 😀 ␛", "a\xC2\xA0z"})
    EXPECT_EQ(Harmless(text), text);
}

TEST(Harmless, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(Harmless("\x1b]52;c;aGVsbG8=\x07"), "␛]52;c;aGVsbG8=␇") << "the clipboard";
  EXPECT_EQ(Harmless("\x1b]0;title\x1b\\"), "␛]0;title␛\\") << "the title";
  EXPECT_EQ(Harmless("\x1b[2J\x1b[H"), "␛[2J␛[H") << "a clear screen";
  EXPECT_EQ(Harmless("over\rwritten\b\x7f"), "over␍written␈␡");
  EXPECT_EQ(Harmless("\0"sv), "␀");
  EXPECT_EQ(Harmless("line\r\nline\r"), "line\nline");
}

TEST(Harmless, ShowsTheControlCharactersOfC1InEitherSpelling) {
  EXPECT_EQ(Harmless("\xC2\x9B"
                     "2J"),
            "\\x9b2J");
  EXPECT_EQ(Harmless("\x9B"
                     "2J"),
            "\\x9b2J");
}

TEST(Harmless, ShowsBytesThatAreNoCharacters) {
  EXPECT_EQ(Harmless("\xFF\xC0\x9B"), "\\xff\\xc0\\x9b");
  EXPECT_EQ(Harmless("\xE0\x82\x9B"), "\\xe0\\x82\\x9b") << "U+009B, spelt longer than need be";
  EXPECT_EQ(Harmless("\xE2\x82"), "\\xe2\\x82") << "cut off";
  EXPECT_EQ(Harmless("\xC2"), "\\xc2");
  EXPECT_EQ(Harmless("\xC2\x1b[H"), "\\xc2␛[H") << "no byte hides in a character that is none";
}

TEST(Harmless, LetsColoursPassAndEndsThemWithTheirLine) {
  EXPECT_EQ(Harmless("\x1b[31mred\x1b[0m"), "\x1b[31mred\x1b[0m");
  EXPECT_EQ(Harmless("\x1b[1;38;5;9mred\nplain"), "\x1b[1;38;5;9mred\x1b[0m\nplain");
  EXPECT_EQ(Harmless("\x1b[38:2::1:2:3mx"), "\x1b[38:2::1:2:3mx\x1b[0m");
}

TEST(Harmless, TakesForColoursNothingElse) {
  EXPECT_EQ(Harmless("\x1b[>4;2m"), "␛[>4;2m") << "how the terminal sends keys";
  EXPECT_EQ(Harmless("\x1b[?1m"), "␛[?1m");
  EXPECT_EQ(Harmless("\x1b[1 m"), "␛[1 m");
  EXPECT_EQ(Harmless("\x1b[31"), "␛[31") << "cut off, so that what follows would complete it";
  EXPECT_EQ(Harmless("\x1b[" + std::string(100, '1') + "m"), "␛[" + std::string(100, '1') + "m");
}

}  // namespace
}  // namespace penstock::cli
