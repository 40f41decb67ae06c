#include "container/secret_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"

namespace penstock::container {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

class SecretFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "penstock-secrets-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    plan_.rights.uid = ::geteuid() == 0 ? 1000 : ::geteuid();
    plan_.rights.gid = ::geteuid() == 0 ? 1000 : ::getegid();
  }
  void TearDown() override { fs::remove_all(directory_); }

  void Add(const std::string& name, std::string_view content) {
    const auto source = directory_ / ("original-" + name);
    std::ofstream(source) << content;
    plan_.secrets.push_back({.name = name, .source = {.written = {}, .path = source}});
  }

  fs::path directory_;
  plan::ContainerSpec plan_;
};

TEST_F(SecretFilesTest, CopiesAreReadableForTheContainersUserAlone) {
  Add("key", "k3y");
  const auto files = SecretFiles::Copy(plan_, directory_);
  ASSERT_TRUE(files) << files.error().ToString();

  ASSERT_EQ(files->mounts().size(), 1);
  const auto& mount = files->mounts()[0];
  EXPECT_EQ(mount.target, "/run/secrets/key");
  EXPECT_TRUE(mount.read_only);
  EXPECT_EQ(base::ReadFile(mount.source, 100).value(), "k3y");
  struct stat status{};
  ASSERT_EQ(::stat(mount.source.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0400);
  EXPECT_EQ(status.st_uid, plan_.rights.uid);
}

TEST_F(SecretFilesTest, NoCopyIsLeftBehind) {
  Add("key", "k3y");
  std::string copy;
  {
    const auto files = SecretFiles::Copy(plan_, directory_);
    ASSERT_TRUE(files);
    copy = files->mounts()[0].source;
  }
  EXPECT_FALSE(fs::exists(copy));
}

TEST_F(SecretFilesTest, ErrorsNameTheSecretAndLeaveNothing) {
  Add("key", "k3y");
  Add("empty", "");
  const auto empty = SecretFiles::Copy(plan_, directory_);
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().ToString(), HasSubstr("the file of the secret 'empty' is empty"));
  EXPECT_FALSE(fs::exists(directory_ / "secret-key"));

  fs::remove(directory_ / "original-empty");
  const auto missing = SecretFiles::Copy(plan_, directory_);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().ToString(), HasSubstr("reading the secret 'empty'"));
}

}  // namespace
}  // namespace penstock::container
