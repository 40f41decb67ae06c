#include "plan/promises.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest/load.h"

namespace penstock::plan {
namespace {
using testing::HasSubstr;

constexpr std::uint64_t kHostMb = 1024;

/// Two container nodes without edges between them to speak of, each with 300 MB and the text of `docker` besides.
auto PlanOn(const HostFacts& host, const std::string& docker = "", const std::string& directory = "/srv")
    -> tl::expected<Plan, std::vector<base::Error>> {
  const auto section = ", docker: {python_version: \"3.11\", memory_mb: 300" + docker + "}}\n";
  const auto pipeline =
      manifest::Parse("version: v1\nmetadata: {name: x}\nnodes:\n  - {id: a, node_type: \"n:A\"" + section +
                          "  - {id: b, node_type: \"n:B\"" + section +
                          "connections: [{from: a, to: b, max_message_bytes: 1MiB}]\nsession: {shm_quota_mb: 64}\n",
                      "p.yaml", directory);
  if (!pipeline) ADD_FAILURE() << manifest::RenderErrors(pipeline.error());
  return MakePlan(*pipeline, host, PlacementOverride::kAsDeclared);
}

auto Host(std::vector<RunningSession> running = {}, double cpus = 64) -> HostFacts {
  HostFacts host{.cpus = cpus, .memory_bytes = kHostMb * kMebibyte, .native_nodes = {}};
  host.running = std::move(running);
  return host;
}

/// A session that holds `memory_mb` for itself.
auto Holding(std::uint64_t memory_mb, double cpu_cores = 1) -> RunningSession {
  return {.id = "0190-a",
          .pipeline = "talk",
          .promises = {{.node = "asr", .memory_mb = memory_mb, .cpu_cores = cpu_cores, .shared_as = {}}}};
}

/// As many sessions as that of the very plan, which would share their containers with it.
auto Likes(std::size_t sessions, const std::string& docker = "") -> std::vector<RunningSession> {
  return {sessions, {.id = "0190-b", .pipeline = "x", .promises = PromisesOf(PlanOn(Host(), docker).value())}};
}

TEST(Promises, OfASessionThatRunsAreToldWithWhatToDo) {
  const auto plan = PlanOn(Host({Holding(500)}));

  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().front().code(), base::ErrorCode::kExhausted);
  EXPECT_EQ(plan.error().front().ToString(),
            "this pipeline's containers may use 600 MB of memory, but of this host's 1024 MB running sessions hold 500 "
            "MB: session 0190-a (talk: asr 500); end one of them ('penstock stop ID') or wait for its end, lower the "
            "'memory_mb' of some nodes, or promise more than there is with --overcommit");
}

TEST(Promises, ThatFitAreNotSpokenOf) {
  const auto plan = PlanOn(Host({Holding(424)}));

  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->warnings.empty());
}

TEST(Promises, BeyondTheHostAreAWarningWhenAskedFor) {
  auto host = Host({Holding(500)});
  host.overcommit = true;
  const auto plan = PlanOn(host);

  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->warnings, testing::ElementsAre(HasSubstr("running sessions hold 500 MB")));
}

TEST(Promises, OfCoresAreAWarning) {
  const auto plan = PlanOn(Host({Holding(100, 3)}, 4));

  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->warnings,
              testing::ElementsAre("the containers of running sessions may use 3 cores and this pipeline's 2 more, but "
                                   "this host has 4"));
}

TEST(Promises, OfASharedContainerCountOnce) {
  EXPECT_TRUE(PlanOn(Host(Likes(3)))) << "600 MB in all, whoever uses them";
}

TEST(Promises, OfEqualNodesInOneSessionCountEach) {
  const auto promises = PromisesOf(PlanOn(Host()).value());

  ASSERT_EQ(promises.size(), 2U);
  EXPECT_NE(promises[0].shared_as, promises[1].shared_as);
}

TEST(Promises, OfAFullContainerCountAgain) {
  const std::string two = ", max_sessions_per_container: 2";

  EXPECT_TRUE(PlanOn(Host(Likes(1, two)), two));
  EXPECT_FALSE(PlanOn(Host(Likes(2, two)), two));
}

TEST(Promises, OfOtherwiseEqualContainersCountWhereTheyCannotBeShared) {
  EXPECT_FALSE(PlanOn(Host(Likes(1)), ", env: {A: \"1\"}"));
  EXPECT_FALSE(PlanOn(Host(Likes(1)), ", python_packages: [\"numpy==1.26.4\"]"));
  EXPECT_FALSE(PlanOn(Host(Likes(1)), "", "/home"));
  EXPECT_FALSE(PlanOn(Host(Likes(1, ", sharing: exclusive")), ", sharing: exclusive"));
  EXPECT_TRUE(PlanOn(Host(Likes(1)), ", keep_warm: 5s")) << "which changes nothing in the container";
}

}  // namespace
}  // namespace penstock::plan
