#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/sha256.h"

namespace penstock::base {
namespace {

auto Inner() -> Expected<int> { return Fail(ErrorCode::kNotFound, "no node is called '{}'", "asr"); }
auto Outer() -> Expected<int> {
  PENSTOCK_ASSIGN(const int value, Inner());
  return value + 1;
}
auto Good() -> Expected<int> {
  PENSTOCK_ASSIGN(const int value, Expected<int>(41));
  return value + 1;
}

TEST(Error, TravelsThroughAssign) {
  const auto result = Outer();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(result.error().message(), "no node is called 'asr'");
  EXPECT_EQ(Good(), 42);
}

TEST(Error, ToStringShowsPositionSentenceAndTrail) {
  const auto error =
      Error(ErrorCode::kInvalidArgument, "unknown key 'imag'").At({"p.yaml", 14, 7}).While("loading the manifest");
  EXPECT_EQ(error.ToString(), "p.yaml:14:7: unknown key 'imag' (while loading the manifest)");
}

TEST(Error, SystemErrorNamesErrnoAndMapsItsKind) {
  const Status status = SystemError("open '/x'", ENOENT);
  EXPECT_EQ(status.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(status.error().message(), "cannot open '/x': No such file or directory (ENOENT)");
}

TEST(Sha256, MatchesThePublishedVector) {
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(Sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace penstock::base
