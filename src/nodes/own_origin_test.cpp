#include "nodes/own_origin.h"

#include <gtest/gtest.h>

namespace penstock::nodes {
namespace {
using transport::Origin;

auto Of(Own own, std::uint64_t sequence) -> Origin {
  return {.index = static_cast<std::uint32_t>(own), .sequence = sequence};
}

TEST(OwnOrigin, OfOneMessageWhatCameEarlierWasPublished) {
  const Origin last{.input = 1, .index = 2, .sequence = 7};
  EXPECT_TRUE(WasPublished({.input = 1, .index = 2, .sequence = 7}, last));
  EXPECT_FALSE(WasPublished({.input = 1, .index = 3, .sequence = 7}, last));
  EXPECT_FALSE(WasPublished({.input = 1, .index = 0, .sequence = 8}, last));
  EXPECT_FALSE(WasPublished({.input = 0, .index = 0, .sequence = 7}, last));
  EXPECT_FALSE(WasPublished({.input = 1, .index = 0, .sequence = 7}, std::nullopt));
}

TEST(OwnOrigin, ASourceRepeatsUpToWhereItWas) {
  EXPECT_TRUE(WasPublished(Of(Own::kProcess, 4), Of(Own::kProcess, 4)));
  EXPECT_FALSE(WasPublished(Of(Own::kProcess, 5), Of(Own::kProcess, 4)));
}

TEST(OwnOrigin, FinishComesAfterEverythingElse) {
  EXPECT_TRUE(WasPublished(Of(Own::kProcess, 9), Of(Own::kFinish, 0)));
  EXPECT_TRUE(WasPublished(Of(Own::kFinish, 0), Of(Own::kFinish, 0)));
  EXPECT_FALSE(WasPublished(Of(Own::kFinish, 1), Of(Own::kFinish, 0)));
  EXPECT_FALSE(WasPublished(Of(Own::kFinish, 0), Of(Own::kProcess, 9)));
}

TEST(OwnOrigin, NoTickIsARepetitionAndNoneHidesAnything) {
  EXPECT_FALSE(WasPublished(Of(Own::kTick, 0), Of(Own::kTick, 3)));
  EXPECT_FALSE(WasPublished(Of(Own::kTick, 0), Of(Own::kFinish, 3)));
  EXPECT_FALSE(WasPublished(Of(Own::kProcess, 0), Of(Own::kTick, 3)));
}

}  // namespace
}  // namespace penstock::nodes
