#include "docker/readable.h"

#include <gtest/gtest.h>

#include "docker/decode.h"
#include "docker/errors.h"

namespace penstock::docker {
namespace {
using std::string_literals::operator""s;

constexpr std::size_t kMuch = 1000;

TEST(Readable, KeepsTextAsItIs) {
  for (const auto* text : {"", "plain", "two\n\tlines", "é … 漢 😀", "a \"quoted\" \\ text"}) {
    EXPECT_EQ(Readable(text, kMuch), text);
  }
}

TEST(Readable, DropsWhatFollowsTheText) { EXPECT_EQ(Readable("words \r\n\t\n", kMuch), "words"); }

TEST(Readable, ReplacesWhatCommandsATerminal) {
  EXPECT_EQ(Readable("a\x1b[31mb\x07\x7f", kMuch), "a\xef\xbf\xbd[31mb\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(Readable("a\xc2\x9bz", kMuch), "a\xef\xbf\xbd\xef\xbf\xbdz") << "the control characters beyond ASCII";
  EXPECT_EQ(Readable("a\r\nb", kMuch), "a\nb");
}

TEST(Readable, ReplacesWhatIsNoUtf8) {
  for (const auto& bytes : {"\xff"s, "\x80"s, "\xc0"s, "\xf8"s}) {
    EXPECT_EQ(Readable("a" + bytes + "b", kMuch), "a\xef\xbf\xbd" + "b"s);
  }
  // Cut short, overlong, a surrogate, beyond the last character: none of their bytes is taken for another character.
  for (const auto& bytes : {"\xe2\x82"s, "\xc1\x81"s, "\xe0\x80\x81"s, "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s}) {
    const auto readable = Readable(bytes, kMuch);
    EXPECT_EQ(readable.find_first_not_of("\xef\xbf\xbd"), std::string::npos) << readable;
  }
}

TEST(Readable, CutsBetweenCharacters) {
  EXPECT_EQ(Readable("abcdef", 3), "abc…");
  EXPECT_EQ(Readable("aéé", 4), "aé…");
  EXPECT_EQ(Readable("aéé", 5), "aéé");
}

// Whatever an engine says in its refusal, the sentence is one that can be printed.
TEST(Readable, IsWhatRefusalsSay) {
  EXPECT_EQ(HttpError("x", 500, "{\"message\": \"a\\u001b[2Jb\"}").message(),
            "cannot x: a\xef\xbf\xbd[2Jb (Docker engine, HTTP 500)");
  EXPECT_LT(HttpError("x", 500, "{\"message\": \"" + std::string(100'000, 'y') + "\"}").message().size(), 3000U);
}

TEST(Nesting, BracketsInTextDoNotCount) {
  const std::string brackets(5000, '[');
  const auto image =
      DecodeImage("read", R"({"Id": "a", "Config": {"Labels": {"l": "\"\\)" + brackets + R"("}, "Env": ["{{{{"]}})");
  ASSERT_TRUE(image) << image.error().ToString();
  EXPECT_EQ(image->labels.at("l"), "\"\\" + brackets);
}

TEST(Nesting, BeyondItsBoundIsRefusedWithoutParsing) {
  const auto image = DecodeImage("read", std::string(1UL << 24, '['));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code(), base::ErrorCode::kPeerCorrupt);
  EXPECT_NE(image.error().message().find("nested more than 500 levels deep"), std::string::npos);
}

}  // namespace
}  // namespace penstock::docker
