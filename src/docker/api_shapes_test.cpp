// Answers in the shapes that they have had from API 1.40 to 1.52: whatever came and went, what is read stays the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "docker/decode.h"

namespace penstock::docker {
namespace {
using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kAttempt = "read";

/// From `api` on, members are as in `change`: null takes one away.
struct Change {
  std::string api;
  std::string change;
};

/// What the answer was in each version: `first`, then with one change after another.
template <class Check>
void ForEveryShape(std::string_view first, const std::vector<Change>& changes, Check check) {
  auto shape = json::parse(first);
  {
    SCOPED_TRACE("the oldest");
    check(shape.dump());
  }
  for (const auto& [api, change] : changes) {
    SCOPED_TRACE("API " + api);
    shape.merge_patch(json::parse(change));
    check(shape.dump());
  }
}

TEST(ApiShapes, Version) {
  ForEveryShape(
      R"({"Platform": {"Name": "Docker Engine - Community"}, "Version": "19.03.15", "ApiVersion": "1.40",
          "MinAPIVersion": "1.12", "GitCommit": "99e3ed8", "GoVersion": "go1.13.15", "Os": "linux", "Arch": "amd64",
          "KernelVersion": "5.15.0", "BuildTime": "2021-01-30T03:15:20.000000000+00:00",
          "Components": [{"Name": "Engine", "Version": "19.03.15", "Details": {"Experimental": "false"}}]})",
      {{"1.44", R"({"MinAPIVersion": "1.24"})"}, {"1.52", R"({"MinAPIVersion": "1.44", "BuildTime": null})"}},
      [](const std::string& body) {
        const auto version = DecodeVersion(kAttempt, body);
        ASSERT_TRUE(version) << version.error().ToString();
        EXPECT_EQ(version->engine, "19.03.15");
        EXPECT_EQ(version->api, (ApiVersion{1, 40}));
        EXPECT_GE(version->api_min, (ApiVersion{1, 12}));
        EXPECT_EQ(version->kernel, "5.15.0");
      });
}

TEST(ApiShapes, Info) {
  std::string cgroup_version;  // said from 1.41 on
  ForEveryShape(
      R"({"ID": "J3LE:AAAA", "Name": "host", "Containers": 3, "Driver": "overlay2", "DriverStatus": [["Backing", "x"]],
          "MemoryLimit": true, "KernelMemory": true, "KernelMemoryTCP": true, "CgroupDriver": "systemd",
          "BridgeNfIptables": true, "BridgeNfIp6tables": true, "NCPU": 2, "MemTotal": 4096, "Warnings": null,
          "DockerRootDir": "/var/lib/docker", "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"],
          "ClusterStore": "", "ClusterAdvertise": "", "RuncCommit": {"ID": "a", "Expected": "a"},
          "ContainerdCommit": {"ID": "b", "Expected": "b"}, "Runtimes": {"runc": {"path": "runc"}},
          "RegistryConfig": {"AllowNondistributableArtifactsCIDRs": [], "Mirrors": []}})",
      {{"1.41", R"({"CgroupVersion": "2", "DefaultAddressPools": [{"Base": "172.30.0.0/16", "Size": 24}]})"},
       {"1.42", R"({"KernelMemory": null, "KernelMemoryTCP": null, "ClusterStore": null, "ClusterAdvertise": null})"},
       {"1.43", R"({"SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin"]})"},
       {"1.44", R"({"CDISpecDirs": [], "Runtimes": {"runc": {"path": "runc", "status": {"a": "b"}}}})"},
       {"1.46",
        R"({"Containerd": {"Address": "/run/containerd/containerd.sock", "Namespaces": {"Containers": "moby"}}})"},
       {"1.48", R"({"BridgeNfIptables": false, "BridgeNfIp6tables": false})"},
       {"1.49", R"({"FirewallBackend": {"Driver": "iptables"}, "RuncCommit": {"Expected": null},
                    "ContainerdCommit": {"Expected": null},
                    "RegistryConfig": {"AllowNondistributableArtifactsCIDRs": null}})"},
       {"1.50", R"({"BridgeNfIptables": null, "BridgeNfIp6tables": null,
                    "DiscoveredDevices": [{"Source": "cdi", "ID": "vendor.com/gpu=0"}]})"},
       {"1.52", R"({"Warnings": [], "KernelMemoryTCP": null})"}},
      [&](const std::string& body) {
        const auto info = DecodeInfo(kAttempt, body);
        ASSERT_TRUE(info) << info.error().ToString();
        EXPECT_EQ(info->id, "J3LE:AAAA");
        EXPECT_EQ(info->root_dir, "/var/lib/docker");
        EXPECT_EQ(info->storage_driver, "overlay2");
        EXPECT_EQ(info->cgroup_driver, "systemd");
        EXPECT_EQ(info->cgroup_version, cgroup_version);
        EXPECT_EQ(info->security_options.size(), 2U);
        EXPECT_THAT(info->warnings, IsEmpty());
        EXPECT_EQ(info->cpus, 2);
        EXPECT_EQ(info->memory_bytes, 4096);
        cgroup_version = "2";
      });
}

TEST(ApiShapes, ImageInspect) {
  ForEveryShape(
      R"({"Id": "sha256:a", "RepoTags": ["i:1"], "RepoDigests": [], "Parent": "", "Comment": "", "Os": "linux",
          "Created": "2024-01-02T03:04:05.6Z", "Architecture": "amd64", "Size": 7, "VirtualSize": 7, "Author": "",
          "Container": "c0ffee", "DockerVersion": "19.03.15", "GraphDriver": {"Name": "overlay2", "Data": null},
          "ContainerConfig": {"Hostname": "c0ffee", "Env": ["WRONG=1"], "Cmd": ["/bin/sh", "-c", "true"],
                              "Labels": {"wrong": "1"}, "User": "wrong"},
          "Config": {"Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "Tty": false,
                     "Env": ["A=b"], "Cmd": ["run"], "Image": "sha256:0", "Volumes": null, "WorkingDir": "/srv",
                     "Entrypoint": null, "OnBuild": null, "Labels": {"l": "1"}},
          "RootFS": {"Type": "layers", "Layers": ["sha256:b", "sha256:c"]}, "Metadata": {"LastTagTime": "0001-01-01"}})",
      {{"1.44", R"({"VirtualSize": null})"},
       {"1.45", R"({"Container": null, "ContainerConfig": null})"},
       {"1.48", R"({"Descriptor": {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:a",
                                   "size": 5}, "Manifests": null})"},
       {"1.50",
        R"({"Config": {"Hostname": null, "Domainname": null, "AttachStdin": null, "Tty": null, "Image": null}})"},
       {"1.52", R"({"Config": {"User": null, "Volumes": null, "Entrypoint": null, "OnBuild": null}, "Parent": null,
                    "Comment": null, "DockerVersion": null, "Author": null})"},
       {"1.53", R"({"Identity": {"Pull": [{"Repository": "example.com/i"}]}})"}},
      [](const std::string& body) {
        const auto image = DecodeImage(kAttempt, body);
        ASSERT_TRUE(image) << image.error().ToString();
        EXPECT_EQ(image->id, "sha256:a");
        EXPECT_THAT(image->tags, ElementsAre("i:1"));
        EXPECT_THAT(image->layers, ElementsAre("sha256:b", "sha256:c"));
        EXPECT_EQ(image->created, "2024-01-02T03:04:05.6Z");
        EXPECT_EQ(image->size_bytes, 7);
        EXPECT_THAT(image->labels, ElementsAre(testing::Pair("l", "1")));
        EXPECT_THAT(image->env, ElementsAre("A=b"));
        EXPECT_THAT(image->command, ElementsAre("run"));
        EXPECT_THAT(image->entrypoint, IsEmpty());
        EXPECT_EQ(image->user, "");
        EXPECT_EQ(image->working_dir, "/srv");
      });
}

// From 1.44 on an image without a date has none, and from 1.52 on one without any settings may have no Config.
TEST(ApiShapes, ImageInspectOfTheBarest) {
  const auto image = DecodeImage(kAttempt, R"({"Id": "sha256:a", "RepoTags": [], "Size": 0, "RootFS": {}})");
  ASSERT_TRUE(image) << image.error().ToString();
  EXPECT_EQ(image->created, "");
  EXPECT_THAT(image->labels, IsEmpty());
}

TEST(ApiShapes, ImageList) {
  ForEveryShape(
      R"({"Id": "sha256:a", "ParentId": "", "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"],
          "Created": 1700000000, "Size": 7, "VirtualSize": 7, "SharedSize": -1, "Labels": null, "Containers": -1})",
      {{"1.43", R"({"RepoTags": [], "RepoDigests": []})"},
       {"1.44", R"({"VirtualSize": null})"},
       {"1.47", R"({"Manifests": [{"ID": "sha256:m", "Available": true, "Kind": "image"}]})"},
       {"1.48", R"({"Descriptor": {"digest": "sha256:a", "size": 5}, "RepoTags": null})"},
       {"1.51", R"({"Containers": 2})"}},
      [](const std::string& body) {
        const auto images = DecodeImages(kAttempt, "[" + body + "]");
        ASSERT_TRUE(images) << images.error().ToString();
        ASSERT_EQ(images->size(), 1U);
        EXPECT_EQ(images->front().id, "sha256:a");
        EXPECT_THAT(images->front().tags, IsEmpty());
        EXPECT_THAT(images->front().labels, IsEmpty());
        EXPECT_EQ(images->front().created, 1'700'000'000);
        EXPECT_EQ(images->front().size_bytes, 7);
      });
}

TEST(ApiShapes, ContainerInspect) {
  ForEveryShape(
      R"({"Id": "c0ffee", "Created": "2024-01-02T03:04:05.6Z", "Path": "/probe", "Args": [], "Name": "/n",
          "State": {"Status": "exited", "Running": false, "Paused": false, "Restarting": false, "OOMKilled": true,
                    "Dead": false, "Pid": 0, "ExitCode": 137, "Error": "", "StartedAt": "2024-01-02T03:04:06Z",
                    "FinishedAt": "2024-01-02T03:04:07Z"},
          "Image": "sha256:a", "RestartCount": 0, "Driver": "overlay2", "Platform": "linux", "MountLabel": "",
          "HostConfig": {"KernelMemory": 0, "KernelMemoryTCP": 0, "Binds": null, "MaskedPaths": null},
          "Config": {"Image": "i:1", "Labels": {"l": "1"}, "MacAddress": "", "OnBuild": null},
          "NetworkSettings": {"Bridge": "", "HairpinMode": false, "IPAddress": "",
                              "Networks": {"none": {"Aliases": ["c0ffee"], "MacAddress": ""}}}})",
      {{"1.41", R"({"HostConfig": {"CgroupnsMode": "private"}})"},
       {"1.42", R"({"HostConfig": {"KernelMemory": null, "KernelMemoryTCP": null}})"},
       {"1.43", R"({"HostConfig": {"Annotations": {"a": "b"}}})"},
       {"1.44", R"({"NetworkSettings": {"Networks": {"none": {"DNSNames": ["n", "c0ffee"]}}},
                    "Config": {"MacAddress": null}})"},
       {"1.45", R"({"NetworkSettings": {"Networks": {"none": {"Aliases": []}}}})"},
       {"1.48", R"({"ImageManifestDescriptor": {"digest": "sha256:m", "platform": {"os": "linux"}}})"},
       {"1.52", R"({"NetworkSettings": {"Bridge": null, "HairpinMode": null, "IPAddress": null},
                    "Config": {"OnBuild": null}})"}},
      [](const std::string& body) {
        const auto container = DecodeContainer(kAttempt, body);
        ASSERT_TRUE(container) << container.error().ToString();
        EXPECT_EQ(container->id, "c0ffee");
        EXPECT_EQ(container->name, "n");
        EXPECT_EQ(container->image, "i:1");
        EXPECT_EQ(container->image_id, "sha256:a");
        EXPECT_EQ(container->state.status, "exited");
        EXPECT_TRUE(container->state.oom_killed);
        EXPECT_EQ(container->state.exit_code, 137);
        EXPECT_EQ(container->state.finished_at, "2024-01-02T03:04:07Z");
        EXPECT_THAT(container->labels, ElementsAre(testing::Pair("l", "1")));
        EXPECT_EQ(container->raw, body);
      });
}

TEST(ApiShapes, ContainerList) {
  ForEveryShape(
      R"({"Id": "c0ffee", "Names": ["/n"], "Image": "i:1", "ImageID": "sha256:a", "Command": "/probe",
          "Created": 1700000000, "Ports": [], "Labels": {"l": "1"}, "State": "running", "Status": "Up 2 seconds",
          "HostConfig": {"NetworkMode": "none"}, "Mounts": []})",
      {{"1.46", R"({"HostConfig": {"Annotations": {"a": "b"}}})"},
       {"1.48", R"({"ImageManifestDescriptor": {"digest": "sha256:m"},
                    "NetworkSettings": {"Networks": {"none": {"GwPriority": 0}}}})"},
       {"1.52", R"({"Health": {"Status": "none", "FailingStreak": 0}})"}},
      [](const std::string& body) {
        const auto containers = DecodeContainers(kAttempt, "[" + body + "]");
        ASSERT_TRUE(containers) << containers.error().ToString();
        ASSERT_EQ(containers->size(), 1U);
        EXPECT_EQ(containers->front().name, "n");
        EXPECT_EQ(containers->front().state, "running");
        EXPECT_EQ(containers->front().created, 1'700'000'000);
      });
}

// Go writes a list that was never made as null.
TEST(ApiShapes, ListsOfNothing) {
  for (const auto* body : {"[]", "null"}) {
    EXPECT_THAT(DecodeImages(kAttempt, body).value(), IsEmpty());
    EXPECT_THAT(DecodeContainers(kAttempt, body).value(), IsEmpty());
  }
}

TEST(ApiShapes, Created) {
  for (const auto* body : {R"({"Id": "c0ffee"})", R"({"Id": "c0ffee", "Warnings": null})",  // 20.10
                           R"({"Id": "c0ffee", "Warnings": []})"}) {                        // 23.0
    const auto created = DecodeCreated(kAttempt, body);
    ASSERT_TRUE(created) << created.error().ToString();
    EXPECT_EQ(created->id, "c0ffee");
    EXPECT_THAT(created->warnings, IsEmpty());
  }
  EXPECT_THAT(DecodeCreated(kAttempt, R"({"Id": "c0ffee", "Warnings": ["no swap"]})")->warnings,
              ElementsAre("no swap"));
}

TEST(ApiShapes, ExitCode) {
  for (const auto* body : {R"({"Error": null, "StatusCode": 137})",  // 20.10
                           R"({"StatusCode": 137})", R"({"StatusCode": 137, "Error": {"Message": ""}})"}) {
    EXPECT_EQ(DecodeExitCode(kAttempt, body).value(), 137);
  }
  const auto failed = DecodeExitCode(kAttempt, R"({"StatusCode": 125, "Error": {"Message": "its removal failed"}})");
  EXPECT_EQ(failed.error().message(), "cannot read: its removal failed (Docker engine)");
}

TEST(ApiShapes, Event) {
  ForEveryShape(
      R"({"status": "die", "id": "c0ffee", "from": "i:1", "Type": "container", "Action": "die",
          "Actor": {"ID": "c0ffee", "Attributes": {"exitCode": "137", "image": "i:1", "name": "n"}},
          "scope": "local", "time": 1700000000, "timeNano": 1700000000000000005})",
      {{"1.42", R"({"Actor": {"Attributes": {"execDuration": "2"}}})"},
       {"1.52", R"({"status": null, "id": null, "from": null})"}},
      [](const std::string& body) {
        const auto event = DecodeEvent(kAttempt, body);
        ASSERT_TRUE(event) << event.error().ToString();
        EXPECT_EQ(event->type, "container");
        EXPECT_EQ(event->action, "die");
        EXPECT_EQ(event->id, "c0ffee");
        EXPECT_EQ(event->attributes.at("exitCode"), "137");
        EXPECT_EQ(event->time.time_since_epoch(), std::chrono::nanoseconds(1'700'000'000'000'000'005));
      });
}

TEST(ApiShapes, ProgressThatFails) {
  // `error` has been deprecated for as long as `errorDetail` exists, and is announced to go.
  for (const auto* line : {R"({"error": "no such step"})", R"({"errorDetail": {"message": "no such step"}})",
                           R"({"errorDetail": {"code": 1, "message": "no such step"}, "error": "no such step"})",
                           R"({"errorDetail": {"message": "no such step"}, "error": ""})"}) {
    EXPECT_EQ(DecodeProgress(kAttempt, line)->error, "no such step") << line;
  }
}

}  // namespace
}  // namespace penstock::docker
