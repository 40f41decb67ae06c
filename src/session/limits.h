// Which limits a node met, out of its container's counters and the host's. Internal to autopsies.
#pragma once

#include "session/autopsy.h"

namespace penstock::session {

/// Points into the evidence; null: that limit had nothing to do with it.
struct LimitsReached {
  explicit LimitsReached(const Evidence& evidence);

  const container::MemoryCounters* memory = nullptr;  // the kernel killed at the container's limit
  const container::PidsCounters* pids = nullptr;      // processes or threads were refused
  const container::CpuCounters* cpu = nullptr;        // throttled for a good part of the time
  bool host_memory = false;                           // the kernel killed because the host had none left
};

}  // namespace penstock::session
