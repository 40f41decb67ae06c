#include "image/ignore_file.h"

#include <gmock/gmock.h>

namespace penstock::image {
namespace {

auto Ignored(std::string_view text, const std::string& path) -> bool {
  return IgnoreFile::Parse(text).value().Ignores(path);
}

TEST(IgnoreFile, AnEmptyOneIgnoresNothing) {
  EXPECT_FALSE(Ignored("", "a"));
  EXPECT_FALSE(Ignored("# a\n\n  \n", "a"));
}

TEST(IgnoreFile, APatternCountsFromTheContextsRoot) {
  EXPECT_TRUE(Ignored("secret", "secret"));
  EXPECT_TRUE(Ignored("/secret/", "secret"));
  EXPECT_TRUE(Ignored("./secret", "secret"));
  EXPECT_FALSE(Ignored("secret", "a/secret"));
  EXPECT_FALSE(Ignored("secret", "secrets"));
}

TEST(IgnoreFile, WhatIsInAnIgnoredFolderIsIgnored) {
  EXPECT_TRUE(Ignored("a", "a/b/c"));
  EXPECT_FALSE(Ignored("a/b", "a/c"));
}

TEST(IgnoreFile, StarsStayWithinANameAndTwoDoNot) {
  EXPECT_TRUE(Ignored("*.pyc", "a.pyc"));
  EXPECT_FALSE(Ignored("*.pyc", "a/b.pyc"));
  EXPECT_TRUE(Ignored("*/b.pyc", "a/b.pyc"));
  for (const auto* path : {"a.pyc", "a/b.pyc", "a/b/c.pyc"}) EXPECT_TRUE(Ignored("**/*.pyc", path)) << path;
  EXPECT_TRUE(Ignored("a/**", "a/b/c"));
  EXPECT_FALSE(Ignored("a/**", "a"));
  EXPECT_TRUE(Ignored("file?", "file1"));
  EXPECT_FALSE(Ignored("file?", "file"));
}

TEST(IgnoreFile, ClassesAndEscapesAreThoseOfShells) {
  EXPECT_TRUE(Ignored("[ab].txt", "b.txt"));
  EXPECT_FALSE(Ignored("[^ab].txt", "b.txt"));
  EXPECT_TRUE(Ignored("[^ab].txt", "c.txt"));
  EXPECT_TRUE(Ignored("\\*.txt", "*.txt"));
  EXPECT_FALSE(Ignored("\\*.txt", "a.txt"));
  EXPECT_FALSE(Ignored("a.txt", "abtxt"));
  EXPECT_TRUE(Ignored("a+(b).txt", "a+(b).txt"));
}

TEST(IgnoreFile, TheLastLineThatFitsDecides) {
  EXPECT_FALSE(Ignored("*.md\n!README.md", "README.md"));
  EXPECT_TRUE(Ignored("*.md\n!README*.md\nREADME-secret.md", "README-secret.md"));
  EXPECT_TRUE(Ignored("!README.md\n*.md", "README.md"));
  EXPECT_FALSE(Ignored("data\n! data/keep", "data/keep/file"));
  EXPECT_TRUE(Ignored("data\n!data/keep", "data/other"));
}

TEST(IgnoreFile, KnowsWhetherIgnoredFoldersMustBeLookedInto) {
  EXPECT_FALSE(IgnoreFile::Parse("a\nb").value().has_exceptions());
  EXPECT_TRUE(IgnoreFile::Parse("a\n!a/b").value().has_exceptions());
}

TEST(IgnoreFile, ABrokenPatternIsNamedWithItsLine) {
  const auto broken = IgnoreFile::Parse("a\n[b");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message(), "line 2: '[b' is no pattern");
}

}  // namespace
}  // namespace penstock::image
