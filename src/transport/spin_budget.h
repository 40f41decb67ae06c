// How long one waiting thread looks at a bell before it sleeps: learned from how often looking paid off.
#pragma once

#include <cstdint>
#include <utility>

#include "base/deadline.h"
#include "transport/doorbell.h"

namespace penstock::transport {

/// Lives on the waiting thread.
class SpinBudget final {
 public:
  /// About twice the cost of a wake-up across idle cores (21-25 µs): what spinning can save at most, it may cost once.
  static constexpr std::uint32_t kMaxNs = 50'000;
  /// Below this many cores a spinning thread takes the core that the peer needs to answer.
  static constexpr int kFewCores = 4;

  /// `cores` that this process may use: by affinity, or less where its CPU limit says so.
  explicit SpinBudget(int cores) noexcept : enabled_(cores >= kFewCores) {}
  /// For this process's own affinity.
  static auto ForThisProcess() noexcept -> SpinBudget;

  /// Budget of the next wait. Now and then a full one although the last ones did not pay: times change.
  auto Next() noexcept -> std::uint32_t;
  /// What came of a wait that was given a budget above 0.
  void Learn(bool hit) noexcept;

 private:
  static constexpr std::uint32_t kScale = 1024;  // of hit_rate_
  static constexpr std::uint32_t kProbeEvery = 64;
  bool enabled_;
  std::uint32_t hit_rate_ = kScale;
  std::uint32_t waits_ = 0;
};

/// WaitAt with a budget that learns.
template <class Ready>
auto WaitAt(Bell& bell, base::Deadline deadline, SpinBudget& budget, Ready&& ready) -> bool {
  const auto seen = bell.word.load(std::memory_order_seq_cst);
  if (ready()) return true;
  if (const auto spin_ns = budget.Next(); spin_ns != 0) {
    const bool hit = SpinAt(bell, seen, spin_ns);
    budget.Learn(hit);
    if (hit && ready()) return true;
  }
  return WaitAt(bell, deadline, 0, std::forward<Ready>(ready));
}

}  // namespace penstock::transport
