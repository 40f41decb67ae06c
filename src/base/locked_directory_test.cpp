#include "base/locked_directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/testing/temporary_directory.h"

namespace penstock::base {
namespace {
namespace fs = std::filesystem;

class LockedDirectoryTest : public ::testing::Test {
 protected:
  const testing::TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
};

TEST_F(LockedDirectoryTest, CannotBeClaimedWhileAnybodyUsesIt) {
  auto first = LockedDirectory::Create(root_ / "c", "one").value();
  const auto second = LockedDirectory::Join(first.path());
  ASSERT_TRUE(second);
  EXPECT_FALSE(LockedDirectory::Claim(first.path()));
  EXPECT_FALSE(first.ClaimIfLast());
}

TEST_F(LockedDirectoryTest, TheLastUserCanClaimItAndNobodyJoinsThen) {
  auto first = LockedDirectory::Create(root_, "one").value();
  {
    auto second = LockedDirectory::Join(first.path());
    EXPECT_FALSE(second->ClaimIfLast());
  }
  ASSERT_TRUE(first.ClaimIfLast());
  EXPECT_FALSE(LockedDirectory::Join(first.path()));
  first.Remove();
  EXPECT_FALSE(fs::exists(root_ / "one"));
  EXPECT_FALSE(LockedDirectory::Join(root_ / "one"));
}

TEST_F(LockedDirectoryTest, StaysWhenItsUsersAreGone) {
  const auto path = LockedDirectory::Create(root_, "one").value().path();
  EXPECT_TRUE(fs::exists(path));
  EXPECT_TRUE(LockedDirectory::Join(path));
}

TEST_F(LockedDirectoryTest, OfAKilledProcessCanBeClaimed) {
  const auto child = ::fork();
  if (child == 0) {
    const auto directory = LockedDirectory::Create(root_, "one");
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(LockedDirectory::Claim(root_ / "one"));
}

TEST_F(LockedDirectoryTest, IsMadeWhileASweeperClaimsWhateverItSees) {
  std::jthread sweeper([&](const std::stop_token& stop) {
    std::error_code error;
    while (!stop.stop_requested()) {
      for (const auto& entry : fs::directory_iterator(root_, error)) {
        if (const auto claimed = LockedDirectory::Claim(entry.path())) claimed->Remove();
      }
    }
  });
  for (int i = 0; i < 2000; ++i) {
    auto made = LockedDirectory::Create(root_, std::to_string(i));
    ASSERT_TRUE(made) << made.error().ToString();
    EXPECT_TRUE(fs::exists(made->path()));
  }
}

TEST_F(LockedDirectoryTest, OfAProcessThatWasKilledBeforeItsLockIsRemoved) {
  fs::create_directory(root_ / "new-one");
  EXPECT_FALSE(LockedDirectory::Claim(root_ / "new-one"));
  EXPECT_FALSE(fs::exists(root_ / "new-one"));
}

TEST_F(LockedDirectoryTest, TwoOfOneNameAreRefused) {
  const auto first = LockedDirectory::Create(root_, "one").value();
  EXPECT_FALSE(LockedDirectory::Create(root_, "one"));
}

}  // namespace
}  // namespace penstock::base
