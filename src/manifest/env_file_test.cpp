#include "manifest/env_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::manifest {
namespace {

TEST(EnvFile, HasNamesAndValuesAsWritten) {
  const auto variables = ParseEnvFile("# comment\n\nA=1 = one # not a comment\r\nB=\"two words\"\nC=\nD='$A'", "x.env");

  ASSERT_TRUE(variables) << RenderErrors(variables.error());
  EXPECT_EQ(*variables, (Variables{{"A", "1 = one # not a comment"}, {"B", "two words"}, {"C", ""}, {"D", "$A"}}));
}

TEST(EnvFile, ReportsEveryBadLineAndNoValue) {
  const auto variables =
      ParseEnvFile("A=hidden\nexport B=hidden\nhidden\nC='hidden\nA=hidden\nPENSTOCK_X=hidden\n", "x.env");

  ASSERT_FALSE(variables);
  const auto text = RenderErrors(variables.error());
  EXPECT_THAT(text, testing::HasSubstr("x.env:2:1: 'export B' is not the name of a variable"));
  EXPECT_THAT(text, testing::HasSubstr("x.env:3:1: a line of variables is NAME=VALUE"));
  EXPECT_THAT(text, testing::HasSubstr("x.env:4:1: the value of 'C' begins with a quote"));
  EXPECT_THAT(text, testing::HasSubstr("x.env:5:1: 'A' is given twice"));
  EXPECT_THAT(text, testing::HasSubstr("x.env:6:1: 'PENSTOCK_X' is reserved"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("hidden")));
}

TEST(EnvFile, MissingFileSaysWhich) {
  const auto variables = LoadEnvFile("/nonexistent/x.env");

  ASSERT_FALSE(variables);
  EXPECT_THAT(RenderErrors(variables.error()), testing::HasSubstr("/nonexistent/x.env"));
}

}  // namespace
}  // namespace penstock::manifest
