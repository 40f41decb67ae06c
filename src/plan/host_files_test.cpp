#include "plan/host_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "manifest/load.h"

namespace penstock::plan {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

class HostFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "penstock-host-files-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { fs::remove_all(directory_); }

  void Write(const fs::path& name, std::string_view text) const {
    fs::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << text;
  }

  auto ErrorsOf(const std::string& docker, PlacementOverride placement = PlacementOverride::kAsDeclared) const
      -> std::string {
    const auto pipeline = manifest::Parse(
        "version: v1\nmetadata: {name: x}\nnodes:\n  - id: a\n    node_type: n:A\n    docker:\n      python_version: "
        "\"3.11\"\n      " +
            docker + "\n",
        "p.yaml", directory_);
    if (!pipeline) return manifest::RenderErrors(pipeline.error());
    HostFacts host;
    host.secrets_directory = directory_ / "secrets";
    return manifest::RenderErrors(CheckHostFiles(*pipeline, host, placement));
  }

  fs::path directory_;
};

TEST_F(HostFiles, MissingVolumesAreErrorsWhereTheyAreWritten) {
  Write("here/x", "");

  EXPECT_EQ(ErrorsOf("volumes: [{host_path: here, container_path: /a}, {host_path: there, container_path: /b}]"),
            "p.yaml:8:68: the volume '" + (directory_ / "there").string() + "' of node 'a' does not exist\n");
}

TEST_F(HostFiles, DevicesMustBeDevices) {
  EXPECT_EQ(ErrorsOf("devices: [/dev/null]"), "");
  EXPECT_THAT(ErrorsOf("devices: [/dev/penstock-none]"),
              HasSubstr("the device '/dev/penstock-none' of node 'a' does not exist"));
}

TEST_F(HostFiles, SecretsAreFilesOfTheUsersDirectoryOrAsNamed) {
  Write("secrets/key", "k");
  Write("pem", "p");

  EXPECT_EQ(ErrorsOf("secrets: [key, {name: x, file: pem}]"), "");
  EXPECT_THAT(ErrorsOf("secrets: [{name: x, file: secrets}]"), HasSubstr("the file of secret 'x', '"));
  EXPECT_THAT(ErrorsOf("secrets: [nokey]"), HasSubstr("secrets/nokey' of node 'a' does not exist"));
}

TEST_F(HostFiles, FilesOfVariablesAreReadAndTheirErrorsShownInThem) {
  Write("x.env", "A=1\nB\n");

  EXPECT_THAT(ErrorsOf("env_file: x.env"), HasSubstr("x.env:2:1: a line of variables is NAME=VALUE"));
  EXPECT_THAT(ErrorsOf("env_file: y.env"), HasSubstr("p.yaml:8:17: the file of variables '"));
}

TEST_F(HostFiles, BuildsNeedTheirContextAndDockerfile) {
  Write("image/Dockerfile", "FROM x");

  EXPECT_EQ(ErrorsOf("build: {context: image}"), "");
  EXPECT_THAT(ErrorsOf("build: {context: image, dockerfile: Other}"), HasSubstr("the Dockerfile '"));
  EXPECT_THAT(ErrorsOf("build: {context: images}"), HasSubstr("the build context '"));
}

TEST_F(HostFiles, SeccompProfilesAreFilesUnlessUnconfined) {
  EXPECT_EQ(ErrorsOf("security: {seccomp: unconfined}"), "");
  EXPECT_THAT(ErrorsOf("security: {seccomp: profile.json}"), HasSubstr("the seccomp profile '"));
}

TEST_F(HostFiles, WithoutAContainerOnlyVariablesMatter) {
  EXPECT_EQ(ErrorsOf("secrets: [nokey]", PlacementOverride::kProcess), "");
  EXPECT_THAT(ErrorsOf("env_file: y.env", PlacementOverride::kProcess), HasSubstr("does not exist"));
}

}  // namespace
}  // namespace penstock::plan
