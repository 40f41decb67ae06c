#include "base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace penstock::base {

auto OpenClosedStandardStreams() -> Status {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest number that is free: those below are open by now.
    if (::open("/dev/null", O_RDWR) != fd)
      return SystemError("open /dev/null in place of a closed standard stream");  // NOLINT
  }
  return {};
}

}  // namespace penstock::base
