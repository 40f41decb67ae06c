#include "plan/host_files.h"

#include <fmt/format.h>
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
  static constexpr std::uint32_t kStranger = 54321;  // whose nothing here is

  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "penstock-host-files-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    fs::permissions(directory_, fs::perms(0755));
  }
  void TearDown() override { fs::remove_all(directory_); }

  void Write(const fs::path& name, std::string_view text) const {
    fs::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << text;
  }

  auto ErrorsOf(const std::string& docker, PlacementOverride placement = PlacementOverride::kAsDeclared,
                const std::string& node_type = "n:A") const -> std::string {
    const auto pipeline = manifest::Parse(
        fmt::format("version: v1\nmetadata: {{name: x}}\nnodes:\n  - id: a\n    node_type: {}\n    docker:\n      "
                    "python_version: \"3.11\"\n      {}\n",
                    node_type, docker),
        "p.yaml", directory_);
    if (!pipeline) return manifest::RenderErrors(pipeline.error());
    HostFacts host;
    host.container_uid = host.container_gid = kStranger;
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

TEST_F(HostFiles, InterpretersArePathsFromTheManifestThatCanBeRun) {
  Write("venv/bin/python", "");
  const auto errors = [&](const std::string& python) {
    const auto pipeline = manifest::Parse(
        fmt::format("version: v1\nmetadata: {{name: x}}\nnodes: [{{id: a, node_type: \"n:A\", python: {}}}]\n", python),
        "p.yaml", directory_);
    return manifest::RenderErrors(CheckHostFiles(*pipeline, HostFacts{}, PlacementOverride::kAsDeclared));
  };

  EXPECT_EQ(errors("venv/bin/python"), "p.yaml:3:43: the interpreter '" + (directory_ / "venv/bin/python").string() +
                                           "' of node 'a' cannot be run by you\n");
  fs::permissions(directory_ / "venv/bin/python", fs::perms(0755));
  EXPECT_EQ(errors("venv/bin/python"), "");
  EXPECT_THAT(errors("./venv/python"), HasSubstr("does not exist"));
  EXPECT_EQ(errors("python9.99"), "");  // looked for at the start
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

TEST_F(HostFiles, TheDirectoryMustBeOpenToTheContainersUser) {
  fs::permissions(directory_, fs::perms(0700));
  EXPECT_EQ(ErrorsOf("sharing: exclusive"),
            fmt::format("p.yaml:5:16: the manifest's directory '{0}', which containers see at /app, cannot be "
                        "entered by user 54321, as whom that of node 'a' runs: chmod o+x '{0}'\n",
                        directory_.string()));
  Write("n.py", "");
  EXPECT_THAT(ErrorsOf("sharing: exclusive"), HasSubstr(": chmod o+rx '" + directory_.string()));
  EXPECT_EQ(ErrorsOf("sharing: exclusive", PlacementOverride::kProcess), "");

  const auto as_owner = fmt::format("security: {{user: \"{}\"}}", ::geteuid());
  const auto as_group = fmt::format("security: {{user: \"54321:{}\"}}", ::getegid());
  EXPECT_EQ(ErrorsOf(as_owner), "") << "its owner's";
  fs::permissions(directory_, fs::perms(0070));
  EXPECT_THAT(ErrorsOf(as_owner), HasSubstr(": chmod u+rx '"));
  EXPECT_EQ(ErrorsOf(as_group), "") << "its group's";
  fs::permissions(directory_, fs::perms(0705));
  EXPECT_THAT(ErrorsOf(as_group), HasSubstr(": chmod g+rx '"));
  fs::permissions(directory_, fs::perms(0000));
  EXPECT_EQ(ErrorsOf("security: {user: \"0\", cap_add: [DAC_OVERRIDE]}"), "") << "root's, whom no mode stops";
  fs::permissions(directory_, fs::perms(0755));
  EXPECT_EQ(ErrorsOf("sharing: exclusive"), "");
}

TEST_F(HostFiles, CodeBesideTheManifestMustBeOpenToo) {
  Write("n.py", "");
  fs::permissions(directory_ / "n.py", fs::perms(0600));
  EXPECT_THAT(ErrorsOf("sharing: exclusive"), HasSubstr("the file '" + (directory_ / "n.py").string() +
                                                        "', which containers see at /app, cannot be read by user"));
  Write("pack/inner/n.py", "");
  Write("pack/__init__.py", "");
  const auto in_package = [&] {
    return ErrorsOf("sharing: exclusive", PlacementOverride::kAsDeclared, "pack.inner.n:A");
  };
  EXPECT_EQ(in_package(), "");
  for (const auto* path : {"pack/inner/n.py", "pack/inner", "pack/__init__.py", "pack"}) {
    const auto mode = fs::status(directory_ / path).permissions();
    fs::permissions(directory_ / path, fs::perms(0700));
    EXPECT_THAT(in_package(), HasSubstr(fmt::format("'{}'\n", (directory_ / path).string())));
    fs::permissions(directory_ / path, mode);
  }
  EXPECT_EQ(ErrorsOf("sharing: exclusive", PlacementOverride::kAsDeclared, "elsewhere:A"), "") << "in the image";
}

TEST_F(HostFiles, WithoutAContainerOnlyVariablesMatter) {
  EXPECT_EQ(ErrorsOf("secrets: [nokey]", PlacementOverride::kProcess), "");
  EXPECT_THAT(ErrorsOf("env_file: y.env", PlacementOverride::kProcess), HasSubstr("does not exist"));
}

}  // namespace
}  // namespace penstock::plan
