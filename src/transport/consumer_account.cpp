#include "transport/consumer_account.h"

#include <algorithm>

namespace penstock::transport {

// Killed between two of its stores, an earlier incarnation left an account that is off by the message (or gap) it was
// counting; the order of those stores makes the truth known: lost, taken, delivered.
auto ConsumerAccount::Adopt() -> base::Status {
  acked_ = block_.acked.load(std::memory_order_acquire);
  taken_ = std::max(acked_, block_.taken.load(std::memory_order_acquire));
  // One more may have been taken than a producer that was killed knows of.
  const auto reserved = block_.reserved.load(std::memory_order_acquire);
  if (taken_ > reserved && taken_ - reserved > 1) {
    return base::Fail(base::ErrorCode::kPeerCorrupt,
                      "its account says that message {} was taken, of {} that were sent: its producer, or an earlier "
                      "worker of this node, has damaged it",
                      taken_ - 1, reserved);
  }
  redelivered_ = block_.redelivered.load(std::memory_order_relaxed);
  const auto delivered = std::min(block_.delivered.load(std::memory_order_relaxed), taken_);
  const auto lost = std::min(block_.lost.load(std::memory_order_relaxed), taken_);
  SetLost(delivered + lost > taken_ ? taken_ - delivered : lost);
  SetDelivered(taken_ - lost_);
  SetTaken(taken_);
  SetHandling(block_.handling_sequence.load(std::memory_order_relaxed), 0);
  return {};
}

auto ConsumerAccount::intact() const noexcept -> bool {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return block_.taken.load(kRelaxed) == taken_ && block_.acked.load(kRelaxed) == acked_ &&
         block_.delivered.load(kRelaxed) == delivered_ && block_.lost.load(kRelaxed) == lost_ &&
         block_.redelivered.load(kRelaxed) == redelivered_ &&
         block_.handling_since_ns.load(kRelaxed) == handling_since_ns_;
}

}  // namespace penstock::transport
