#include "container/confine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace penstock::container {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kMebibyte = 1024 * 1024;

auto Confined(const plan::ContainerSpec& plan) -> docker::ContainerSpec {
  docker::ContainerSpec spec;
  const auto status = Confine(plan, spec);
  EXPECT_TRUE(status) << status.error().ToString();
  return spec;
}

TEST(Confine, LocksDownByDefault) {
  const auto spec = Confined({});

  EXPECT_EQ(spec.user, "1000:1000");
  EXPECT_EQ(spec.network, "none");
  EXPECT_TRUE(spec.read_only_root);
  EXPECT_THAT(spec.cap_drop, ElementsAre("ALL"));
  EXPECT_THAT(spec.cap_add, ElementsAre());
  EXPECT_THAT(spec.security_options, ElementsAre("no-new-privileges"));
  EXPECT_TRUE(spec.mounts.empty() && spec.devices.empty() && !spec.gpus);
}

TEST(Confine, EveryLimitIsSet) {
  const auto spec = Confined({.limits = {.memory_mb = 256, .cpu_cores = 1.5, .pids = 32, .nofile = 2048},
                              .rights = {.tmpfs_mb = 16, .shm_size_mb = 8}});

  EXPECT_EQ(spec.memory_bytes, 256 * kMebibyte);
  EXPECT_EQ(spec.nano_cpus, 1'500'000'000);
  EXPECT_EQ(spec.pids_limit, 32);
  EXPECT_EQ(spec.tmpfs.at(0).size_bytes, 16 * kMebibyte);
  EXPECT_EQ(spec.shm_bytes, 8 * kMebibyte);
  ASSERT_EQ(spec.ulimits.size(), 1);
  EXPECT_EQ(spec.ulimits[0].name, "nofile");
  EXPECT_EQ(spec.ulimits[0].hard, 2048);
}

TEST(Confine, OpensWhatThePlanOpens) {
  plan::ContainerSpec plan;
  plan.rights.cap_add = {"NET_ADMIN"};
  plan.rights.apparmor = "mine";
  plan.rights.seccomp = plan::HostPath{.written = "unconfined", .path = {}};
  plan.volumes = {{.source = {.written = "x", .path = "/srv/x"}, .target = "/x", .read_only = false}};
  plan.devices = {{.host_path = "/dev/a", .container_path = "/dev/b", .permissions = "r", .at = {}}};
  plan.gpus = manifest::Gpus{.count = 0, .ids = {"0"}};

  const auto spec = Confined(plan);

  EXPECT_THAT(spec.cap_add, ElementsAre("NET_ADMIN"));
  EXPECT_THAT(spec.security_options, ElementsAre("no-new-privileges", "apparmor=mine", "seccomp=unconfined"));
  ASSERT_EQ(spec.mounts.size(), 1);
  EXPECT_EQ(spec.mounts[0].source, "/srv/x");
  EXPECT_FALSE(spec.mounts[0].read_only);
  ASSERT_EQ(spec.devices.size(), 1);
  EXPECT_EQ(spec.devices[0].container_path, "/dev/b");
  EXPECT_THAT(spec.gpus->ids, ElementsAre("0"));
}

TEST(Confine, HandsTheEngineTheTextOfASeccompProfile) {
  const auto path = testing::TempDir() + "confine-" + std::to_string(::getpid()) + ".json";
  std::ofstream(path) << R"({"defaultAction": "SCMP_ACT_ALLOW"})";
  plan::ContainerSpec plan;
  plan.rights.seccomp = plan::HostPath{.written = "p.json", .path = path};

  EXPECT_THAT(Confined(plan).security_options, testing::Contains(R"(seccomp={"defaultAction": "SCMP_ACT_ALLOW"})"));

  std::ofstream(path) << "no profile";
  docker::ContainerSpec spec;
  const auto refused = Confine(plan, spec);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("is not JSON"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace penstock::container
