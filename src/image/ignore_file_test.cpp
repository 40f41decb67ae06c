#include "image/ignore_file.h"

#include <gmock/gmock.h>

namespace penstock::image {
namespace {

auto Ignored(std::string_view text, const std::string& path) -> bool {
  return IgnoreFile::Parse(text).value().Ignores(path);
}

struct Case {
  const char* rule;  // of Docker's documentation, that the lines show
  const char* text;
  const char* path;
  bool ignored;
};

// A shell's raw string would hide what is escaped for whom: these are the files' own characters.
const Case kCases[] = {
    {"an empty file", "", "a", false},
    {"blank lines are ignored", "\n  \n\t\n", "a", false},
    {"a comment begins in the first column", "# a", "# a", false},
    {"a comment begins in the first column", "#a\na", "a", true},
    {"elsewhere it is a character", " #a", "#a", true},
    {"elsewhere it is a character", "a#b", "a#b", true},
    {"an escaped one is a character", R"(\#a)", "#a", true},
    {"an escaped one is a character", R"(\#a)", R"(\#a)", false},
    {"white space at both ends does not count", " \ta \t", "a", true},
    {"white space within does", "a b", "a b", true},
    {"lines may end as on Windows", "a\r\nb\r\n", "b", true},
    {"a byte order mark does not count",
     "\xEF\xBB\xBF"
     "a",
     "a", true},

    {"the context is the root", "secret", "secret", true},
    {"the context is the root", "secret", "a/secret", false},
    {"the whole name counts", "secret", "secrets", false},
    {"case counts", "secret", "Secret", false},
    {"a leading slash is allowed", "/secret", "secret", true},
    {"a leading slash is allowed", "/secret", "a/secret", false},
    {"a leading slash is allowed", "/a/b", "a/b", true},
    {"a trailing slash is allowed", "secret/", "secret", true},
    {"a trailing slash is allowed", "secret/", "secret/key", true},
    {"a trailing slash is allowed", "/a/secret/", "a/secret/key", true},
    {"patterns are cleaned", "./secret", "secret", true},
    {"patterns are cleaned", "a//b/./c", "a/b/c", true},
    {"patterns are cleaned", "a/../b", "b", true},
    {"the context itself is no pattern", ".", "a", false},
    {"the context itself is no pattern", "/", "a", false},
    {"what is above the context is not in it", "../a", "a", false},

    {"what is in an ignored folder is ignored", "a", "a/b/c", true},
    {"what is in an ignored folder is ignored", "*/b", "a/b/c/d", true},
    {"what is beside it is not", "a/b", "a/c", false},
    {"nor is the folder above", "a/b", "a", false},

    {"a star stays within a name", "*/temp*", "somedir/temporary.txt", true},
    {"a star stays within a name", "*/temp*", "somedir/temp", true},
    {"a star stays within a name", "*/temp*", "temp", false},
    {"a star stays within a name", "*/*/temp*", "somedir/subdir/temporary.txt", true},
    {"a star stays within a name", "*/*/temp*", "somedir/temporary.txt", false},
    {"a star stays within a name", "*.go", "a.go", true},
    {"a star stays within a name", "*.go", "a/b.go", false},
    {"a star may be nothing", "a*", "a", true},
    {"a star is everything of the root", "*", "a", true},
    {"a question mark is one character", "temp?", "tempa", true},
    {"a question mark is one character", "temp?", "temp", false},
    {"a question mark is one character", "temp?", "tempab", false},
    {"a question mark is no slash", "a?b", "a/b", false},

    {"two stars are any number of folders", "**/*.go", "a.go", true},
    {"two stars are any number of folders", "**/*.go", "a/b/c.go", true},
    {"two stars are any number of folders", "a/**/b", "a/b", true},
    {"two stars are any number of folders", "a/**/b", "a/x/y/b", true},
    {"two stars are any number of folders", "a/**/b", "x/a/b", false},
    {"two stars are whole folders", "**/b", "ab", false},
    {"two stars are whole folders", "**b", "ab", false},
    {"two stars are whole folders", "**b", "a/b", true},
    {"two stars are whole folders", "**/node_modules", "a/node_modules/b/c.js", true},
    {"at the end they are all that is in it", "a/**", "a/b/c", true},
    {"at the end they are all that is in it", "a/**", "a", false},
    {"at the end they are all that is in it", "**", "a/b", true},
    {"at the end they are all that is in it", "**/", "a/b", true},

    {"a class is one of its characters", "[ab].txt", "b.txt", true},
    {"a class is one of its characters", "[ab].txt", "c.txt", false},
    {"a class has ranges", "[a-c]x", "bx", true},
    {"a class has ranges", "[a-c]x", "dx", false},
    {"a class may be negated", "[^ab].txt", "b.txt", false},
    {"a class may be negated", "[^ab].txt", "c.txt", true},
    {"with no other sign than this", "[!a]x", "!x", true},
    {"with no other sign than this", "[!a]x", "bx", false},
    {"a class has escapes", R"([\]a]x)", "]x", true},
    {"a class has escapes", R"([\-a]x)", "-x", true},
    {"a class has no escapes of regular expressions", R"([\d]x)", "1x", false},
    {"a class has no names", "[[:alpha:]]", "b", false},

    {"a backslash makes a character mean itself", R"(\*.txt)", "*.txt", true},
    {"a backslash makes a character mean itself", R"(\*.txt)", "a.txt", false},
    {"a backslash makes a character mean itself", R"(a\?)", "a?", true},
    {"a backslash makes a character mean itself", R"(a\?)", "ab", false},
    {"a backslash makes a character mean itself", R"(\[a])", "[a]", true},
    {"a backslash makes a character mean itself", R"(\!a)", "!a", true},
    {"a backslash makes a character mean itself", R"(\a\\b)", R"(a\b)", true},
    {"what regular expressions mean does not count", "a.txt", "abtxt", false},
    {"what regular expressions mean does not count", "a+(b|c){1}$.txt", "a+(b|c){1}$.txt", true},
    {"what regular expressions mean does not count", "^a", "^a", true},

    {"an exception takes back", "*.md\n!README.md", "README.md", false},
    {"an exception takes back", "*.md\n!README.md", "OTHER.md", true},
    {"the last line that fits decides", "*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true},
    {"the last line that fits decides", "*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false},
    {"the last line that fits decides", "!README.md\n*.md", "README.md", true},
    {"an exception reaches into a folder", "data\n!data/keep", "data/keep/file", false},
    {"an exception reaches into a folder", "data\n!data/keep", "data/other", true},
    {"an exception reaches into a folder", "*\n!src/**/*.py", "src/a/b.py", false},
    {"an exception reaches into a folder", "*\n!src/**/*.py", "src/a/b.txt", true},
    {"an exception is cleaned, too", "data\n! /data/keep/ ", "data/keep", false},
};

TEST(IgnoreFile, FollowsTheRulesOfDockersDocumentation) {
  for (const auto& one : kCases) {
    EXPECT_EQ(Ignored(one.text, one.path), one.ignored) << one.rule << ": '" << one.text << "', '" << one.path << "'";
  }
}

TEST(IgnoreFile, KnowsWhetherIgnoredFoldersMustBeLookedInto) {
  EXPECT_FALSE(IgnoreFile::Parse("a\nb").value().has_exceptions());
  EXPECT_TRUE(IgnoreFile::Parse("a\n!a/b").value().has_exceptions());
}

TEST(IgnoreFile, ABrokenPatternIsNamedWithItsLine) {
  const auto broken = IgnoreFile::Parse("a\n[b");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message(), "line 2: '[b' is no pattern");
  for (const auto* text : {"!", " ! ", "[]", "[^]", "[a-]", "[-a]", "[b-a]", "a\\", "[a\\", "!["}) {
    EXPECT_FALSE(IgnoreFile::Parse(text)) << text;
  }
  EXPECT_EQ(IgnoreFile::Parse(" ! ").error().message(), "line 1: '!' is no pattern");
}

}  // namespace
}  // namespace penstock::image
