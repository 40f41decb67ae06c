#include "base/deadline.h"

#include <algorithm>
#include <limits>

namespace penstock::base {

auto Deadline::remaining() const -> std::optional<std::chrono::nanoseconds> {
  if (!at_) return std::nullopt;
  return std::max(std::chrono::nanoseconds::zero(), std::chrono::nanoseconds(*at_ - Clock::now()));
}

auto Deadline::poll_timeout_ms() const -> int {
  const auto left = remaining();
  if (!left) return -1;
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(*left).count();
  return static_cast<int>(std::min<std::chrono::milliseconds::rep>(rounded, std::numeric_limits<int>::max()));
}

}  // namespace penstock::base
