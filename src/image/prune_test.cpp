#include "image/prune.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

namespace penstock::image {
namespace {

using std::chrono::seconds;

const Time kNow{seconds(1'000'000)};

auto GenCandidates() -> rc::Gen<std::vector<PruneCandidate>> {
  return rc::gen::container<std::vector<PruneCandidate>>(rc::gen::exec([] {
    return PruneCandidate{kNow - seconds(*rc::gen::inRange(0, 50)), *rc::gen::inRange(0, 100),
                          *rc::gen::weightedElement<bool>({{3, false}, {1, true}})};
  }));
}

auto GenLimits() -> rc::Gen<PruneLimits> {
  return rc::gen::exec([] {
    PruneLimits limits;
    if (*rc::gen::arbitrary<bool>()) limits.keep = *rc::gen::inRange<std::size_t>(0, 20);
    if (*rc::gen::arbitrary<bool>()) limits.older_than = seconds(*rc::gen::inRange(0, 50));
    if (*rc::gen::arbitrary<bool>()) limits.size_bytes = *rc::gen::inRange(0, 1000);
    return limits;
  });
}

struct Rest {
  std::vector<PruneCandidate> kept;
  std::vector<PruneCandidate> removed;
  std::int64_t kept_bytes = 0;
};

auto RestOf(const std::vector<PruneCandidate>& candidates, const std::vector<std::size_t>& removal) -> Rest {
  const std::set<std::size_t> removed(removal.begin(), removal.end());
  RC_ASSERT(removed.size() == removal.size());
  Rest rest;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    (removed.contains(i) ? rest.removed : rest.kept).push_back(candidates[i]);
    if (!removed.contains(i)) rest.kept_bytes += candidates[i].size_bytes;
  }
  return rest;
}

RC_GTEST_PROP(PickForRemoval, NeverTakesWhatIsKeptAlways, ()) {
  const auto candidates = *GenCandidates();
  for (const auto& removed : RestOf(candidates, PickForRemoval(candidates, *GenLimits(), kNow)).removed) {
    RC_ASSERT(!removed.keep_always);
  }
}

RC_GTEST_PROP(PickForRemoval, TakesWhatWasUsedLongestAgo, ()) {
  const auto candidates = *GenCandidates();
  const auto rest = RestOf(candidates, PickForRemoval(candidates, *GenLimits(), kNow));
  for (const auto& removed : rest.removed) {
    for (const auto& kept : rest.kept) RC_ASSERT(kept.keep_always || removed.last_used <= kept.last_used);
  }
}

RC_GTEST_PROP(PickForRemoval, KeepsEveryLimitOrNothingIsLeftToTake, ()) {
  const auto candidates = *GenCandidates();
  const auto limits = *GenLimits();
  const auto rest = RestOf(candidates, PickForRemoval(candidates, limits, kNow));
  const bool takeable = std::ranges::any_of(rest.kept, [](const auto& kept) { return !kept.keep_always; });
  if (!takeable) return;
  if (limits.keep) RC_ASSERT(rest.kept.size() <= *limits.keep);
  if (limits.size_bytes) RC_ASSERT(rest.kept_bytes <= *limits.size_bytes);
  for (const auto& kept : rest.kept) {
    RC_ASSERT(kept.keep_always || !limits.older_than || kNow - kept.last_used <= *limits.older_than);
  }
}

RC_GTEST_PROP(PickForRemoval, TakesNoMoreThanTheLimitsAskFor, ()) {
  const auto candidates = *GenCandidates();
  const auto limits = *GenLimits();
  auto removal = PickForRemoval(candidates, limits, kNow);
  if (removal.empty()) return;
  const auto last = candidates[removal.back()];
  removal.pop_back();
  const auto rest = RestOf(candidates, removal);  // with the last one still there, some limit is broken
  RC_ASSERT((limits.keep && rest.kept.size() > *limits.keep) ||
            (limits.size_bytes && rest.kept_bytes > *limits.size_bytes) ||
            (limits.older_than && kNow - last.last_used > *limits.older_than));
}

TEST(PickForRemoval, WithoutLimitsEverythingStays) {
  EXPECT_TRUE(PickForRemoval({{Time{}, 1, false}, {kNow, 2, false}}, {}, kNow).empty());
}

}  // namespace
}  // namespace penstock::image
