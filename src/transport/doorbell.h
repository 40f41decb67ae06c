// Two futex words of one node: one rung when messages arrive, one when credit returns or a peer changes.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/deadline.h"
#include "base/error.h"
#include "base/mapping.h"
#include "base/unique_fd.h"

namespace penstock::transport {

/// A futex word with a flag that spares the ringing side its system call while nobody sleeps.
struct Bell {
  alignas(64) std::atomic<std::uint32_t> word;
  std::atomic<std::uint32_t> parked;

  void Ring() noexcept;
  /// The same, and wakes whoever sleeps whatever the flag says, which a peer may have changed.
  void Wake() noexcept;
};

struct DoorbellLayout {
  Bell arrivals;
  Bell credit;
};

class Doorbell final {
 public:
  static auto Create() -> base::Expected<Doorbell>;
  static auto Map(base::UniqueFd fd) -> base::Expected<Doorbell>;

  auto fd() const noexcept -> const base::UniqueFd& { return fd_; }
  auto arrivals() const noexcept -> Bell& { return layout()->arrivals; }
  auto credit() const noexcept -> Bell& { return layout()->credit; }

 private:
  Doorbell(base::UniqueFd fd, base::Mapping mapping) : fd_(std::move(fd)), mapping_(std::move(mapping)) {}
  auto layout() const noexcept -> DoorbellLayout* { return static_cast<DoorbellLayout*>(mapping_.data()); }
  base::UniqueFd fd_;
  base::Mapping mapping_;
};

/// The one way to wait at a bell: look, spin for the budget, announce, look again, sleep. `ready` must be cheap.
/// Returns false when the deadline passed first. Only one thread waits at a bell; it may be woken for nothing.
template <class Ready>
auto WaitAt(Bell& bell, base::Deadline deadline, std::uint32_t spin_ns, Ready&& ready) -> bool;

/// One futex wait while the word is still `seen`, at most until `deadline`.
void SleepAt(Bell& bell, std::uint32_t seen, base::Deadline deadline) noexcept;
/// Spins until `deadline_ns` (CLOCK_MONOTONIC) or until the word is no longer `seen`. True when it changed.
auto SpinAt(const Bell& bell, std::uint32_t seen, std::uint32_t spin_ns) noexcept -> bool;

template <class Ready>
auto WaitAt(Bell& bell, base::Deadline deadline, std::uint32_t spin_ns, Ready&& ready) -> bool {
  for (;;) {
    const auto seen = bell.word.load(std::memory_order_seq_cst);
    if (ready()) return true;
    if (spin_ns != 0 && SpinAt(bell, seen, spin_ns)) {
      if (deadline.passed()) return ready();  // a peer may ring for ever
      continue;
    }
    bell.parked.store(1, std::memory_order_seq_cst);
    if (ready()) {
      bell.parked.store(0, std::memory_order_relaxed);
      return true;
    }
    SleepAt(bell, seen, deadline);
    bell.parked.store(0, std::memory_order_relaxed);
    if (deadline.passed()) return ready();
  }
}

}  // namespace penstock::transport
