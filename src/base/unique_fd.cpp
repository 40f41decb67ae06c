#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace penstock::base {

void UniqueFd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

auto UniqueFd::Duplicate() const -> Expected<UniqueFd> {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return SystemError(fmt::format("duplicate descriptor {}", fd_));
  return UniqueFd(copy);
}

auto MoveTo(UniqueFd fd, int target) -> Expected<UniqueFd> {
  if (fd.get() == target) return fd;
  if (::dup3(fd.get(), target, O_CLOEXEC) < 0)
    return SystemError(fmt::format("place a descriptor at number {}", target));
  return UniqueFd(target);
}

void RaiseDescriptorLimit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace penstock::base
