// A container's memory account, read from the control group (v1 or v2) since the engine's own statistics take a second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace penstock::container {

struct MemoryAccount {
  std::optional<std::uint64_t> peak_bytes;  // control groups v2 have it from Linux 5.19 on
  std::uint64_t oom_kills = 0;
};

/// nullopt where the host's control groups cannot be read (then the summary leaves the column empty).
auto ReadMemoryAccount(const std::string& container_id) -> std::optional<MemoryAccount>;

}  // namespace penstock::container
