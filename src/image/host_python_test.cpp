#include "image/host_python.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/testing/temporary_directory.h"

namespace penstock::image {
namespace {
using testing::HasSubstr;

class HostPythonTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): tests have one thread
    path_ = path == nullptr ? "" : path;
    ::setenv("PATH", (directory_.path().string() + ":" + path_).c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", path_.c_str(), 1); }

  /// A program that says it is that version.
  auto Make(const std::string& name, const std::string& version) -> std::filesystem::path {
    const auto file = directory_.path() / name;
    std::ofstream(file) << "#!/bin/sh\necho " << version << "\n";
    std::filesystem::permissions(file, std::filesystem::perms(0755));
    return file;
  }

  static auto Deadline() -> base::Deadline { return base::Deadline::In(std::chrono::minutes(1)); }

  base::testing::TemporaryDirectory directory_;
  std::string path_;
};

TEST_F(HostPythonTest, AVersionIsLookedForByItsCommandsAndAsked) {
  Make("python3.77", "3.76.1");
  const auto right = Make("python3", "3.77.0");

  const auto found = FindHostPython("3.77", Deadline());

  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ(found->executable, right);
  EXPECT_EQ(found->version, "3.77.0");
}

TEST_F(HostPythonTest, ACommandIsFoundInPathWhateverItsVersion) {
  const auto command = Make("my-python3", "3.12.4");

  const auto found = FindHostPython("my-python3", Deadline());

  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ(found->executable, command);
  EXPECT_EQ(found->version, "3.12.4");
}

TEST_F(HostPythonTest, ACommandThatIsTooOldOrMissingIsNamed) {
  Make("old-python", "3.8.1");

  for (const auto* name : {"old-python", "penstock-no-such-python"}) {
    const auto found = FindHostPython(name, Deadline());
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().message(),
                HasSubstr(std::string("no '") + name + "' that is Python 3.9 or newer was found"));
  }
}

TEST_F(HostPythonTest, APathIsTakenAsItIs) {
  const auto file = Make("anything", "3.10.1");

  const auto found = FindHostPython(file.string(), Deadline());

  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ(found->executable, file);
}

}  // namespace
}  // namespace penstock::image
