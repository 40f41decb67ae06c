#include "transport/grant.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace penstock::transport {
namespace {
using Scope = Decision::Scope;

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMebibyte = 1024 * 1024;
constexpr SegmentLayout kLayout{.first = 512, .stride = 64 * kMebibyte + 256, .header_bytes = 256, .chunks = 8};

TEST(Grant, RaisesEveryChunkWhenThereIsRoom) {
  const Holdings held(kLayout);
  const auto decision =
      Decide(held, 3, 40'000'000, 64 * kMebibyte, {.for_all = 400 * kMebibyte, .for_one = 400 * kMebibyte});
  EXPECT_EQ(decision.scope, Scope::kAll);
  EXPECT_EQ(decision.bytes, 40 * kMebibyte);  // the next step
}

TEST(Grant, RaisesToWhatWasAskedForWhenTheStepDoesNotFit) {
  const Holdings held(kLayout);
  const auto decision =
      Decide(held, 3, 40'000'000, 64 * kMebibyte, {.for_all = 310 * kMebibyte, .for_one = 310 * kMebibyte});
  EXPECT_EQ(decision.scope, Scope::kAll);
  EXPECT_EQ(decision.bytes, 40'000'000U);
}

TEST(Grant, RaisesTheOneThatAsksWhenThereIsNoRoomForAll) {
  const Holdings held(kLayout);
  const auto decision =
      Decide(held, 3, 40'000'000, 64 * kMebibyte, {.for_all = 300 * kMebibyte, .for_one = 300 * kMebibyte});
  EXPECT_EQ(decision.scope, Scope::kOne);
  EXPECT_EQ(decision.bytes, 40'000'000U);
}

TEST(Grant, RefusesWhatDoesNotFitAtAll) {
  const Holdings held(kLayout);
  const auto decision =
      Decide(held, 3, 40'000'000, 64 * kMebibyte, {.for_all = 30 * kMebibyte, .for_one = 30 * kMebibyte});
  EXPECT_EQ(decision.scope, Scope::kRefused);
}

TEST(Grant, WhatIsThereCostsNothing) {
  Holdings held(kLayout);
  held.RaiseAll(kMebibyte);
  EXPECT_EQ(Decide(held, 0, kMebibyte, 64 * kMebibyte, {}).scope, Scope::kNothing);
  EXPECT_EQ(held.MissingInAll(kMebibyte), 0U);
}

TEST(Grant, StepsAreFewAndNeverWasteMuch) {
  std::set<std::uint64_t> steps;
  for (std::uint64_t bytes = 1; bytes <= 64 * kMebibyte; bytes += 1 + bytes / 100) {
    const auto step = RoundUpToStep(bytes);
    EXPECT_GE(step, bytes);
    EXPECT_LT(step, bytes + bytes / 8 + kPage);
    EXPECT_EQ(RoundUpToStep(step), step);
    if (bytes > 64 * 1024) steps.insert(step);
  }
  EXPECT_LE(steps.size(), 81U);
}

// A model of the file: which pages have memory.
class Pages {
 public:
  auto Add(Holdings::Range range) -> std::uint64_t {
    std::uint64_t added = 0;
    for (auto page = range.offset / kPage; page < (range.offset + range.bytes) / kPage; ++page)
      added += pages_.insert(page).second ? kPage : 0;
    return added;
  }
  auto Has(std::uint64_t begin, std::uint64_t end) const -> bool {
    for (auto page = begin / kPage; page < (end + kPage - 1) / kPage; ++page) {
      if (!pages_.contains(page)) return false;
    }
    return true;
  }
  auto bytes() const -> std::uint64_t { return pages_.size() * kPage; }

 private:
  std::set<std::uint64_t> pages_;
};

RC_GTEST_PROP(GrantProperty, NeverBeyondTheQuotaAndAlwaysWhatItSays, ()) {
  const auto max = *rc::gen::inRange<std::uint64_t>(1, 300'000);
  const auto header = 64 * *rc::gen::inRange<std::uint64_t>(1, 8);
  const SegmentLayout layout{.first = 64 * *rc::gen::inRange<std::uint64_t>(0, 100),
                             .stride = (header + max + 63) / 64 * 64,
                             .header_bytes = header,
                             .chunks = *rc::gen::inRange<std::uint32_t>(1, 12)};
  const auto quota = *rc::gen::inRange<std::uint64_t>(0, 2 * layout.chunks * layout.stride);
  const auto requests = *rc::gen::container<std::vector<std::pair<std::uint32_t, std::uint64_t>>>(
      rc::gen::pair(rc::gen::inRange<std::uint32_t>(0, layout.chunks), rc::gen::inRange<std::uint64_t>(0, max + 1)));
  Holdings held(layout);
  Pages pages;
  for (const auto& [chunk, bytes] : requests) {
    const auto left = quota - pages.bytes();
    const auto every = held.every();
    const auto decision = Decide(held, chunk, bytes, max, {.for_all = left, .for_one = left});
    RC_ASSERT(decision.bytes >= bytes && decision.bytes <= std::max(bytes, max));
    if (decision.scope == Scope::kRefused) {
      RC_ASSERT(held.Missing(chunk, bytes).bytes > left);  // refused only what really does not fit
      continue;
    }
    if (decision.scope == Scope::kAll) {
      for (std::uint32_t i = 0; i < layout.chunks; ++i) pages.Add(held.Missing(i, decision.bytes));
      held.RaiseAll(decision.bytes);
    } else if (decision.scope == Scope::kOne) {
      pages.Add(held.Missing(chunk, decision.bytes));
      held.Raise(chunk, decision.bytes);
    }
    RC_ASSERT(pages.bytes() <= quota);
    RC_ASSERT(held.Of(chunk) >= bytes && held.every() >= every);
    for (std::uint32_t i = 0; i < layout.chunks; ++i) {
      const auto begin = layout.first + i * layout.stride;
      if (held.Of(i) > 0) RC_ASSERT(pages.Has(begin, begin + header + held.Of(i)));
      RC_ASSERT(held.Of(i) >= held.every());
    }
  }
}

}  // namespace
}  // namespace penstock::transport
