// Sole owner of a file descriptor.
#pragma once

#include <utility>

#include "base/error.h"

namespace penstock::base {

class UniqueFd final {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  auto operator=(UniqueFd&& other) noexcept -> UniqueFd& {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  auto operator=(const UniqueFd&) -> UniqueFd& = delete;
  ~UniqueFd() { reset(); }

  auto get() const noexcept -> int { return fd_; }
  auto valid() const noexcept -> bool { return fd_ >= 0; }
  explicit operator bool() const noexcept { return valid(); }
  auto release() noexcept -> int { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

  /// A second descriptor of the same open file, close-on-exec.
  auto Duplicate() const -> Expected<UniqueFd>;

 private:
  int fd_ = -1;
};

/// Makes `fd` available at the fixed number `target` (replacing what was there), close-on-exec.
auto MoveTo(UniqueFd fd, int target) -> Expected<UniqueFd>;

/// Raises the soft limit on open descriptors to the hard limit.
void RaiseDescriptorLimit() noexcept;

}  // namespace penstock::base
