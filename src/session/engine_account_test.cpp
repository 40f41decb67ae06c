#include "session/engine_account.h"

#include <gtest/gtest.h>

namespace penstock::session {
namespace {
using namespace std::chrono_literals;

auto Timing(EngineAccount::Time from, EngineAccount::Time to, std::string target = "/containers/create")
    -> docker::RequestTiming {
  docker::RequestTiming timing;
  timing.target = std::move(target);
  timing.started = from;
  timing.finished = to;
  return timing;
}

TEST(EngineAccount, CountsOverlappingRequestsOnce) {
  const EngineAccount::Time zero{};
  EngineAccount account;
  account.Add(Timing(zero + 1s, zero + 3s));
  account.Add(Timing(zero + 2s, zero + 4s));
  account.Add(Timing(zero + 6s, zero + 7s));
  EXPECT_DOUBLE_EQ(account.Covered(zero, zero + 10s), 4.0);
}

TEST(EngineAccount, CountsOnlyWhatLiesInTheStretchAskedFor) {
  const EngineAccount::Time zero{};
  EngineAccount account;
  account.Add(Timing(zero, zero + 10s));
  EXPECT_DOUBLE_EQ(account.Covered(zero + 2s, zero + 5s), 3.0);
}

TEST(EngineAccount, LeavesOutRequestsThatWaitByTheirNature) {
  const EngineAccount::Time zero{};
  EngineAccount account;
  account.Add(Timing(zero, zero + 10s, "/v1.41/containers/abc/wait?condition=not-running"));
  EXPECT_DOUBLE_EQ(account.Covered(zero, zero + 10s), 0.0);
}

}  // namespace
}  // namespace penstock::session
