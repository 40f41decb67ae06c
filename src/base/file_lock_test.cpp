#include "base/file_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <thread>

#include "base/uuid.h"

namespace penstock::base {
namespace {
using namespace std::chrono_literals;

class FileLockTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::filesystem::path path_ = std::filesystem::temp_directory_path() / ("lock-" + NewUuidV7());
};

TEST_F(FileLockTest, KeepsOthersOutUntilItIsGone) {
  auto first = FileLock::TryAcquire(path_);
  ASSERT_TRUE(first && *first);
  auto second = FileLock::TryAcquire(path_);
  ASSERT_TRUE(second);
  EXPECT_FALSE(*second);
  first->reset();
  second = FileLock::TryAcquire(path_);
  ASSERT_TRUE(second);
  EXPECT_TRUE(*second);
}

TEST_F(FileLockTest, WaiterGetsItWhenTheHolderLetsGo) {
  auto holder = FileLock::TryAcquire(path_);
  ASSERT_TRUE(holder && *holder);
  auto waiter = std::async(std::launch::async, [&] { return FileLock::Acquire(path_, Deadline::In(60s)); });
  holder->reset();
  EXPECT_TRUE(waiter.get());
}

TEST_F(FileLockTest, GivesUpAtTheDeadlineAndDoesNotKeepTheLockAfterwards) {
  auto holder = FileLock::TryAcquire(path_);
  ASSERT_TRUE(holder && *holder);
  auto waiter = FileLock::Acquire(path_, Deadline::In(10ms));
  ASSERT_FALSE(waiter);
  EXPECT_EQ(waiter.error().code(), ErrorCode::kDeadline);
  holder->reset();
  EXPECT_TRUE(FileLock::Acquire(path_, Deadline::In(60s)));
}

TEST_F(FileLockTest, StopsWaitingWhenAsked) {
  auto holder = FileLock::TryAcquire(path_);
  ASSERT_TRUE(holder && *holder);
  std::stop_source source;
  auto waiter =
      std::async(std::launch::async, [&] { return FileLock::Acquire(path_, Deadline::Never(), source.get_token()); });
  source.request_stop();
  const auto result = waiter.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kCancelled);
}

TEST_F(FileLockTest, SharedHoldersKeepOutOnlyAnExclusiveOne) {
  const auto shared = [&] { return FileLock::TryAcquire(path_, LockMode::kShared); };
  auto one = shared();
  auto two = shared();
  ASSERT_TRUE(one && *one);
  ASSERT_TRUE(two && *two);
  EXPECT_FALSE(FileLock::TryAcquire(path_)->has_value());
  one->reset();
  EXPECT_FALSE(FileLock::TryAcquire(path_)->has_value());
  two->reset();
  const auto exclusive = FileLock::TryAcquire(path_);
  ASSERT_TRUE(exclusive && *exclusive);
  EXPECT_FALSE(shared()->has_value());
}

TEST_F(FileLockTest, IsFreeAgainWhenItsProcessIsKilled) {
  const auto child = ::fork();
  if (child == 0) {
    auto held = FileLock::TryAcquire(path_);
    ::kill(::getpid(), held && *held ? SIGKILL : SIGTERM);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
  auto lock = FileLock::TryAcquire(path_);
  ASSERT_TRUE(lock);
  EXPECT_TRUE(*lock);
}

}  // namespace
}  // namespace penstock::base
