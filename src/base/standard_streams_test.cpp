#include "base/standard_streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

namespace penstock::base {
namespace {

auto IsNull(int fd) -> bool {
  struct stat ours{};
  struct stat null{};
  return ::fstat(fd, &ours) == 0 && ::stat("/dev/null", &null) == 0 && ours.st_rdev == null.st_rdev &&
         (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
}

// In a process of its own, as the test's own streams are needed.
auto InChild(auto check) -> int {
  const auto child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(ClosedStandardStreams, BecomeTheNullDevice) {
  for (unsigned closed = 1; closed < 8; ++closed) {
    EXPECT_EQ(InChild([closed] {
                std::array<int, 2> pipe{};
                if (::pipe(pipe.data()) != 0) return false;
                for (int fd = 0; fd < 3; ++fd) {
                  // What stays open is a pipe, which is no /dev/null.
                  if ((closed >> static_cast<unsigned>(fd) & 1U) != 0) {
                    ::close(fd);
                  } else {
                    ::dup2(pipe[1], fd);
                  }
                }
                if (!OpenClosedStandardStreams()) return false;
                for (int fd = 0; fd < 3; ++fd) {
                  if (IsNull(fd) != ((closed >> static_cast<unsigned>(fd) & 1U) != 0)) return false;
                }
                return true;
              }),
              0)
        << "closed: " << closed;
  }
}

}  // namespace
}  // namespace penstock::base
