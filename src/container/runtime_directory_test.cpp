#include "container/runtime_directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace penstock::container {
namespace {
namespace fs = std::filesystem;

class RuntimeDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/penstock-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    ::setenv("XDG_RUNTIME_DIR", root_.c_str(), 1);
  }
  void TearDown() override { fs::remove_all(root_); }

  static auto Swept() -> std::vector<std::string> {
    std::vector<std::string> ids;
    EXPECT_TRUE(SweepDeadRuntimes([&](const std::string& id) {
      ids.push_back(id);
      return base::Status();
    }));
    return ids;
  }
  fs::path root_;
};

TEST_F(RuntimeDirectoryTest, IsRemovedWithItsOwner) {
  fs::path path;
  {
    const auto directory = RuntimeDirectory::Create().value();
    path = directory.path();
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(RuntimeDirectoryTest, OfALivingRuntimeIsLeftAlone) {
  const auto directory = RuntimeDirectory::Create().value();
  EXPECT_TRUE(Swept().empty());
  EXPECT_TRUE(fs::exists(directory.path()));
}

TEST_F(RuntimeDirectoryTest, OfARuntimeThatWasKilledIsSweptOnce) {
  const auto child = ::fork();
  if (child == 0) {
    const auto directory = RuntimeDirectory::Create();
    fs::create_directory(directory->path() / "container");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(Swept().size(), 1U);
  EXPECT_TRUE(Swept().empty());
}

TEST_F(RuntimeDirectoryTest, OfADeadRuntimeWithoutContainersNeedsNoEngineToGo) {
  const auto child = ::fork();
  if (child == 0) {
    const auto directory = RuntimeDirectory::Create();
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(Swept().empty());
  EXPECT_TRUE(fs::is_empty(root_ / "penstock"));
}

TEST_F(RuntimeDirectoryTest, StaysWhenItsContainersCouldNotBeRemoved) {
  const auto child = ::fork();
  if (child == 0) {
    const auto directory = RuntimeDirectory::Create();
    fs::create_directory(directory->path() / "container");
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(SweepDeadRuntimes(
      [](const std::string&) -> base::Status { return base::Fail(base::ErrorCode::kUnavailable, "engine down"); }));
  EXPECT_EQ(Swept().size(), 1U);
}

}  // namespace
}  // namespace penstock::container
