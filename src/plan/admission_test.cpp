#include "plan/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest/load.h"

namespace penstock::plan {
namespace {
using testing::HasSubstr;

auto PlanOf(const std::string& first, const std::string& second, std::uint64_t host_mb)
    -> tl::expected<Plan, std::vector<base::Error>> {
  const auto text =
      "version: v1\nmetadata: {name: x}\nnodes:\n  - {id: a, node_type: \"n:A\", docker: {python_version: "
      "\"3.11\"" +
      first + "}}\n  - {id: b, node_type: \"n:B\", docker: {python_version: \"3.11\"" + second +
      "}}\nconnections: [{from: a, to: b, max_message_bytes: 1MiB}]\nsession: {shm_quota_mb: 64}\n";
  const auto pipeline = manifest::Parse(text, "p.yaml", "/srv");
  if (!pipeline) ADD_FAILURE() << manifest::RenderErrors(pipeline.error());
  return MakePlan(*pipeline, {.cpus = 4, .memory_bytes = host_mb * kMebibyte, .native_nodes = {}},
                  PlacementOverride::kAsDeclared);
}

TEST(Admission, RefusesLimitsThatAddUpToMoreThanTheHostHas) {
  const auto plan = PlanOf(", memory_mb: 600", ", memory_mb: 700", 1024);

  ASSERT_FALSE(plan);
  EXPECT_EQ(
      manifest::RenderErrors(plan.error()),
      "p.yaml:5:75: the containers' memory limits add up to 1300 MB (a 600, b 700), but this host has 1024: lower "
      "the 'memory_mb' of some, or run them on a larger host\n");
}

TEST(Admission, DefaultsThatDoNotFitAreRefusedAtTheNode) {
  const auto plan = PlanOf("", "", 1000);

  ASSERT_FALSE(plan);
  EXPECT_THAT(manifest::RenderErrors(plan.error()),
              HasSubstr("p.yaml:4:5: the containers' memory limits add up to 1024 MB"));
}

TEST(Admission, OneLimitAboveTheHostIsReportedOnce) {
  const auto plan = PlanOf(", memory_mb: 4000", "", 1000);

  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().size(), 1);
}

TEST(Admission, WarnsWhenTheEdgesTakeTheRest) {
  const auto plan = PlanOf(", memory_mb: 500", ", memory_mb: 500", 1024);

  ASSERT_TRUE(plan) << manifest::RenderErrors(plan.error());
  EXPECT_THAT(plan->warnings, testing::ElementsAre(HasSubstr("1000 MB of memory together and the edges 64 MB")));
}

TEST(Admission, SaysNothingWhenAllFits) {
  const auto plan = PlanOf(", memory_mb: 400", ", memory_mb: 500", 1024);

  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->warnings.empty());
}

}  // namespace
}  // namespace penstock::plan
