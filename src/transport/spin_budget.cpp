#include "transport/spin_budget.h"

#include <sched.h>

namespace penstock::transport {

auto SpinBudget::ForThisProcess() noexcept -> SpinBudget {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  // More cores than the set can hold: certainly not few.
  return SpinBudget(::sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : kFewCores);
}

auto SpinBudget::Next() noexcept -> std::uint32_t {
  if (!enabled_) return 0;
  ++waits_;
  return hit_rate_ >= kScale / 2 || waits_ % kProbeEvery == 0 ? kMaxNs : 0;
}

void SpinBudget::Learn(bool hit) noexcept {
  hit_rate_ = hit ? hit_rate_ + (kScale - hit_rate_) / 8 : hit_rate_ - hit_rate_ / 8;
}

}  // namespace penstock::transport
