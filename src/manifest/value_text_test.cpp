#include "manifest/value_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace penstock::manifest {
namespace {

auto Parsed(std::string_view text) -> std::string {
  const auto value = ParseValueText(text);
  return value ? (*value)->dump() : "error: " + value.error().message();
}

TEST(ValueText, IsTypedAsInAManifest) {
  EXPECT_EQ(Parsed("3"), "3");
  EXPECT_EQ(Parsed("0.5"), "0.5");
  EXPECT_EQ(Parsed("true"), "true");
  EXPECT_EQ(Parsed("yes"), R"("yes")");
  EXPECT_EQ(Parsed("\"3\""), R"("3")");
  EXPECT_EQ(Parsed("a b"), R"("a b")");
  EXPECT_EQ(Parsed("[1, two]"), R"([1,"two"])");
  EXPECT_EQ(Parsed("{rate: 16000}"), R"({"rate":16000})");
  EXPECT_EQ(Parsed(R"({"a": [null]})"), R"({"a":[null]})");
  EXPECT_EQ(Parsed(""), "null");
  EXPECT_EQ(Parsed("  "), "null");
}

TEST(ValueText, ThatIsNoneIsRefusedWithTheReason) {
  EXPECT_TRUE(Parsed("012").starts_with("error: ")) << Parsed("012");
  EXPECT_TRUE(Parsed("[1, 2").starts_with("error: ")) << Parsed("[1, 2");
  EXPECT_TRUE(Parsed("{a: 1, a: 2}").starts_with("error: ")) << Parsed("{a: 1, a: 2}");
}

}  // namespace
}  // namespace penstock::manifest
