#include "image/requirement.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace penstock::image {
namespace {

TEST(NormaliseRequirement, BringsOnePackageIntoOneSpelling) {
  const std::pair<const char*, const char*> cases[] = {
      {"numpy", "numpy"},
      {"  NumPy == 1.26.4 ", "numpy==1.26.4"},
      {"Foo._-Bar", "foo-bar"},
      {"torch < 3, >= 2", "torch<3,>=2"},
      {"torch (>=2,<3)", "torch<3,>=2"},
      {"a[ Z_z , b ]>=1", "a[b,z-z]>=1"},
      {"a[]", "a"},
      {"a~=1.0;python_version  <  '3.12'", "a~=1.0; python_version < '3.12'"},
      {"a ; os_name == \"x  y\"", "a; os_name == \"x  y\""},
      {"A.b @ https://host/a-1.whl#sha256=0f ; python_version>'3'",
       "a-b @ https://host/a-1.whl#sha256=0f ; python_version>'3'"},
      {"a@https://host/a-1.whl;x", "a @ https://host/a-1.whl;x"},
  };
  for (const auto& [written, expected] : cases) {
    const auto normal = NormaliseRequirement(written);
    ASSERT_TRUE(normal) << written << ": " << normal.error().ToString();
    EXPECT_EQ(*normal, expected) << written;
    EXPECT_EQ(NormaliseRequirement(*normal).value(), *normal) << "not stable: " << written;
  }
}

TEST(NormaliseRequirement, RefusesWhatIsNoPackage) {
  for (const auto* written :
       {"", "  ", "-r other.txt", "--index-url https://host/simple", "-e .", "./local", "/abs/a.whl", "../up",
        "https://host/a.whl", "a b", "a\nb", "a[b", "a 1.0", "a @ ", "_a", "a-", "==1"}) {
    const auto normal = NormaliseRequirement(written);
    ASSERT_FALSE(normal) << written << " became " << *normal;
    EXPECT_EQ(normal.error().code(), base::ErrorCode::kInvalidArgument);
  }
}

TEST(RequirementName, IsWhatComesBeforeEverythingElse) {
  for (const auto* normal : {"a-b", "a-b[x]==1", "a-b>=1", "a-b; x", "a-b @ https://host", "a-b~=1", "a-b!=1"}) {
    EXPECT_EQ(RequirementName(normal), "a-b") << normal;
  }
}

TEST(NormaliseSystemPackage, TakesNamesAndVersionsAndKeepsShellTextOut) {
  EXPECT_EQ(NormaliseSystemPackage(" LibSndfile1 ").value(), "libsndfile1");
  EXPECT_EQ(NormaliseSystemPackage("g++").value(), "g++");
  EXPECT_EQ(NormaliseSystemPackage("hello=2.10-3~X").value(), "hello=2.10-3~X");
  EXPECT_EQ(NormaliseSystemPackage("hello:amd64").value(), "hello:amd64");
  for (const auto* written : {"", "-y", "a b", "a;b", "$(x)", "a/b", "a*", "`x`", "a\nb"}) {
    EXPECT_FALSE(NormaliseSystemPackage(written)) << written;
  }
}

}  // namespace
}  // namespace penstock::image
