#include "container/exit_status.h"

#include <fmt/format.h>

#include <cstring>

namespace penstock::container {

auto DescribeExit(std::int64_t code) -> std::string {
  constexpr std::int64_t kSignalBase = 128;
  const char* signal = code > kSignalBase ? ::sigabbrev_np(static_cast<int>(code - kSignalBase)) : nullptr;
  if (signal != nullptr) return fmt::format("was killed with signal {} (SIG{})", code - kSignalBase, signal);
  return fmt::format("exited with code {}", code);
}

}  // namespace penstock::container
