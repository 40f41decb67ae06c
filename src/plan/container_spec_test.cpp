#include "plan/container_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "manifest/load.h"
#include "plan/plan.h"
#include "plan/render.h"

namespace penstock::plan {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const HostFacts kHost{
    .cpus = 2, .memory_bytes = 16ULL * 1024 * kMebibyte, .native_nodes = {}, .secrets_directory = "/home/me/secrets"};

auto PipelineOf(const std::string& docker) -> manifest::Pipeline {
  auto parsed = manifest::Parse(
      "version: v1\nmetadata: {name: x}\nnodes:\n  - id: a\n    node_type: n:A\n    docker: "
      "{python_version: \"3.11\", " +
          docker + "}\n",
      "p.yaml", "/srv/pipeline");
  if (!parsed) ADD_FAILURE() << manifest::RenderErrors(parsed.error());
  return parsed ? *std::move(parsed) : manifest::Pipeline{};
}

auto PlanOf(const std::string& docker, PlacementOverride placement = PlacementOverride::kAsDeclared) -> Plan {
  auto plan = MakePlan(PipelineOf(docker), kHost, placement);
  if (!plan) ADD_FAILURE() << manifest::RenderErrors(plan.error());
  return plan ? *std::move(plan) : Plan{};
}

auto ErrorsOf(const std::string& docker, const HostFacts& host = kHost) -> std::string {
  const auto plan = MakePlan(PipelineOf(docker), host, PlacementOverride::kAsDeclared);
  return plan ? "planned" : manifest::RenderErrors(plan.error());
}

TEST(ContainerSpec, NothingIsLoosenedUnlessTheManifestSaysSo) {
  const auto plan = PlanOf("env: {A: b}");

  const auto& container = *plan.nodes.at(0).container;
  EXPECT_THAT(Loosened(container), ElementsAre());
  EXPECT_EQ(container.sharing, manifest::Sharing::kShared);
  EXPECT_EQ(container.keep_warm, std::chrono::seconds(30));
  EXPECT_EQ(container.max_sessions, 8);
}

TEST(ContainerSpec, EveryLooseningIsNamed) {
  const auto plan = PlanOf(
      "network: host, gpus: 2, devices: ['/dev/snd', '/dev/a:/dev/b:r'], volumes: [{host_path: ../data, "
      "container_path: "
      "/data}, {host_path: /x, container_path: /y, read_only: true}], security: {user: 0, read_only_root: false, "
      "cap_add: "
      "[NET_ADMIN], seccomp: unconfined, apparmor: unconfined}");

  EXPECT_THAT(Loosened(*plan.nodes.at(0).container),
              ElementsAre("root", "network host", "writable root", "capabilities NET_ADMIN", "seccomp unconfined",
                          "apparmor unconfined", "may write ../data", "sees /x", "device /dev/snd (rwm)",
                          "device /dev/a as /dev/b (r)", "2 GPUs"));
  EXPECT_THAT(RenderTable(plan), HasSubstr("    loosened root, network host, writable root"));
}

TEST(ContainerSpec, PathsAreRelativeToTheManifest) {
  const auto plan = PlanOf(
      "env_file: x.env, volumes: [{host_path: ../data, container_path: /data}], secrets: [key, {name: pem, file: "
      "keys/pem}], security: {seccomp: profile.json}");

  const auto& node = plan.nodes.at(0);
  EXPECT_EQ(node.env_file->path, "/srv/pipeline/x.env");
  EXPECT_EQ(node.container->volumes.at(0).source.path, "/srv/data");
  EXPECT_EQ(node.container->secrets.at(0).source.path, "/home/me/secrets/key");
  EXPECT_EQ(node.container->secrets.at(1).source.path, "/srv/pipeline/keys/pem");
  EXPECT_EQ(node.container->rights.seccomp->path, "/srv/pipeline/profile.json");
}

TEST(ContainerSpec, SecretsBesideTheCodeAreWarnedOf) {
  const auto plan = PlanOf("env_file: x.env, secrets: [key, {name: pem, file: keys/pem}, {name: far, file: ../far}]");

  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("the secret 'pem' of node 'a' lies in the manifest's directory"),
                                         HasSubstr("'env_file' of node 'a' lies in the manifest's directory")));
}

TEST(ContainerSpec, TheEnginesSocketIsWarnedOf) {
  const auto plan = PlanOf("volumes: [{host_path: /var/run/docker.sock, container_path: /docker.sock}]");

  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("node 'a' may command the container engine through /docker.sock")));
}

TEST(ContainerSpec, PlansNameSecretsAndFilesOfVariablesOnly) {
  const auto plan = PlanOf("env_file: /etc/x.env, secrets: [{name: pem, file: /keys/my-pem}]");

  for (const auto& text : {RenderTable(plan), ToJson(plan).dump()}) {
    EXPECT_THAT(text, HasSubstr("pem"));
    EXPECT_THAT(text, HasSubstr("/etc/x.env"));
    EXPECT_THAT(text, Not(HasSubstr("my-pem")));
  }
}

TEST(ContainerSpec, AnotherUserThanTheOwnerOfTheSharedMemoryIsAnError) {
  auto host = kHost;
  host.container_uid = 1234;
  host.container_user_is_fixed = true;

  EXPECT_THAT(
      ErrorsOf("security: {user: 1000}", host),
      HasSubstr("p.yaml:6:55: 'user' of node 'a' is 1000, but only user 1234 can write into the shared memory"));
  EXPECT_EQ(ErrorsOf("security: {user: \"1234:5\"}", host), "planned");
}

TEST(ContainerSpec, CapabilitiesNeedRoot) {
  EXPECT_THAT(ErrorsOf("security: {cap_add: [SYS_TIME]}"),
              HasSubstr("'cap_add' of node 'a' has no effect for user 1000"));
  EXPECT_EQ(ErrorsOf("security: {cap_add: [SYS_TIME], user: 0}"), "planned");
}

TEST(ContainerSpec, FilesInMemoryMustFitIntoTheMemory) {
  EXPECT_THAT(
      ErrorsOf("memory_mb: 256, shm_size_mb: 200, tmpfs_mb: 100"),
      HasSubstr("/tmp and /dev/shm of node 'a' may take 300 MB, which count as memory, but its 'memory_mb' is 256"));
  EXPECT_EQ(ErrorsOf("memory_mb: 256, shm_size_mb: 200, tmpfs_mb: 56"), "planned");
}

TEST(ContainerSpec, AnExclusiveContainerHasOneSession) {
  const auto plan = PlanOf("sharing: exclusive, keep_warm: 0");

  EXPECT_EQ(plan.nodes.at(0).container->max_sessions, 1);
  EXPECT_EQ(plan.nodes.at(0).container->keep_warm.count(), 0);
  EXPECT_THAT(RenderTable(plan), HasSubstr("sharing  exclusive to one session, gone at once after the last"));
}

TEST(ContainerSpec, SharingWithoutLandlockIsNoted) {
  auto host = kHost;
  host.separates_workers = false;
  const auto notes = [&](const std::string& docker) {
    const auto plan = MakePlan(PipelineOf(docker), host, PlacementOverride::kAsDeclared);
    return plan ? plan->nodes.at(0).notes : std::vector<std::string>{"no plan"};
  };

  EXPECT_THAT(notes("sharing: shared"), ElementsAre(HasSubstr("this kernel has no Landlock")));
  EXPECT_THAT(notes("sharing: exclusive"), ElementsAre());
  host.separates_workers = true;
  EXPECT_THAT(notes("sharing: shared"), ElementsAre());
}

TEST(ContainerSpec, ProcessPlacementSaysWhatOfTheHostIsMissing) {
  const auto plan = PlanOf("volumes: [{host_path: /x, container_path: /y}], secrets: [key], build: {context: image}",
                           PlacementOverride::kProcess);

  EXPECT_FALSE(plan.nodes.at(0).environment->build);
  EXPECT_THAT(plan.nodes.at(0).notes,
              testing::IsSupersetOf({std::string("the volume /x is not at /y"),
                                     std::string("the secret 'key' is not at /run/secrets/key"),
                                     std::string("the image of the build context 'image' is not used")}));
}

}  // namespace
}  // namespace penstock::plan
