// What a process in a domain can and cannot do to one outside of it, for every version that this kernel can stand for.
#include "worker/agent/domain.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "base/unique_fd.h"

namespace penstock::worker::agent {
namespace {
namespace fs = std::filesystem;

/// The exit status of `body` in a child that has entered a domain of this version; 100: it could not.
auto InDomain(int version, const std::function<bool()>& body) -> int {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(!EnterDomain(version) ? 100 : body() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Its directory, its memory, or a copy of its descriptor. (What /proc shows of memory maps and variables is open to
/// root in any domain.)
auto CanLookInto(pid_t process) -> bool {
  std::error_code error;
  const auto directory = fs::read_symlink(fmt::format("/proc/{}/cwd", process), error);
  const base::UniqueFd memory(::open(fmt::format("/proc/{}/mem", process).c_str(), O_RDONLY | O_CLOEXEC));
  const base::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  const base::UniqueFd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), 0, 0)));
  return !directory.empty() || memory || copy;
}

class Domain : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (DomainVersion() < GetParam()) GTEST_SKIP() << "this kernel has no Landlock of version " << GetParam();
    ASSERT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
    other_ = ::fork();
    if (other_ == 0) {
      char end = 0;
      ::close(ends_[1]);
      ::_exit(::read(ends_[0], &end, 1) == 0 ? 0 : 1);
    }
  }
  void TearDown() override {
    if (other_ <= 0) return;
    ::close(ends_[1]);
    ::close(ends_[0]);
    ::waitpid(other_, nullptr, 0);
  }

  pid_t other_ = 0;
  int ends_[2] = {-1, -1};
};

TEST_P(Domain, OtherProcessesCannotBeLookedInto) {
  EXPECT_TRUE(CanLookInto(other_)) << "the test looks at something that is open without a domain";
  EXPECT_EQ(InDomain(GetParam(), [this] { return !CanLookInto(other_); }), 0);
}

TEST_P(Domain, WhatIsInsideStaysWithinReach) {
  EXPECT_EQ(InDomain(GetParam(),
                     [] {
                       const pid_t child = ::fork();
                       if (child == 0) {
                         ::pause();
                         ::_exit(0);
                       }
                       const bool reached = CanLookInto(::getpid()) && CanLookInto(child);
                       return ::kill(child, SIGKILL) == 0 && ::waitpid(child, nullptr, 0) == child && reached;
                     }),
            0);
}

TEST_P(Domain, FilesAreAsBefore) {
  std::string folder = fs::temp_directory_path() / "penstock-domain-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  EXPECT_EQ(InDomain(GetParam(),
                     [&folder] {
                       std::error_code error;
                       fs::create_directory(folder + "/a", error);
                       base::UniqueFd(::open((folder + "/x").c_str(), O_WRONLY | O_CREAT, 0600));
                       fs::rename(folder + "/x", folder + "/a/x", error);
                       return !error && fs::exists(folder + "/a/x");
                     }),
            0);
  fs::remove_all(folder);
}

TEST_P(Domain, SignalsStayInsideFromVersionSixOn) {
  const auto signalled = InDomain(GetParam(), [this] { return ::kill(other_, 0) == 0; });

  EXPECT_EQ(signalled, GetParam() >= 6 ? 1 : 0);
}

INSTANTIATE_TEST_SUITE_P(Landlock, Domain, testing::Values(2, 6),
                         [](const auto& version) { return "Version" + std::to_string(version.param); });

}  // namespace
}  // namespace penstock::worker::agent
