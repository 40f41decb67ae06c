// The clock of all times in headers and control blocks.
#pragma once

#include <chrono>
#include <cstdint>

namespace penstock::transport {

/// CLOCK_MONOTONIC in nanoseconds (libstdc++'s steady_clock is that clock), the same in all processes of this boot.
inline auto MonotonicNow() noexcept -> std::int64_t {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace penstock::transport
