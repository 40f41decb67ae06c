#include "image/build_log.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>

#include "base/uuid.h"

namespace penstock::image {
namespace {
namespace fs = std::filesystem;

class BuildLogTest : public testing::Test {
 protected:
  void SetUp() override { ::setenv("XDG_STATE_HOME", scratch_.c_str(), 1); }
  void TearDown() override {
    ::unsetenv("XDG_STATE_HOME");
    fs::remove_all(scratch_);
  }
  auto Sink() -> ProgressSink {
    return [this](const Progress& progress) {
      const std::lock_guard lock(mutex_);
      newest_ = progress;
      changed_.notify_all();
    };
  }
  // A follower that hangs ends with the watchdog of the test.
  void WaitUntil(const std::string& step, const std::string& line) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return newest_ && newest_->step == step && newest_->line == line; });
  }

  const fs::path scratch_ = fs::temp_directory_path() / ("log-" + base::NewUuidV7());
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Progress> newest_;
};

TEST_F(BuildLogTest, AFollowerSeesWhatWasWrittenBeforeAndWhatComes) {
  const auto sink = Sink();
  auto log = BuildLog::Create("one").value();
  log.Step("downloading");
  log.Line("a");
  log.Line("b");
  const auto follower = BuildFollower::Start("one", "environment one", sink);
  ASSERT_TRUE(follower) << follower.error().ToString();
  WaitUntil("downloading", "b");
  EXPECT_EQ(newest_->image, "environment one");
  log.Line("c");
  WaitUntil("downloading", "c");
  log.Step("installing");
  WaitUntil("installing", "");
}

TEST_F(BuildLogTest, AFollowerMayStartBeforeTheBuilderAndOutlivesOne) {
  const auto sink = Sink();
  const auto follower = BuildFollower::Start("one", "environment one", sink);
  ASSERT_TRUE(follower) << follower.error().ToString();
  {
    auto log = BuildLog::Create("one").value();
    log.Step("a step with a long name");
    WaitUntil("a step with a long name", "");
  }
  auto log = BuildLog::Create("one").value();  // after a killed builder
  log.Step("again");
  WaitUntil("again", "");
}

TEST_F(BuildLogTest, AFollowerEndsWhileNothingHappens) {
  const auto sink = Sink();
  ASSERT_TRUE(BuildFollower::Start("one", "environment one", sink));
}

}  // namespace
}  // namespace penstock::image
