// The consumer's lines of an edge's control block, and what it has written there.
//
// Nobody else writes them, so they say what was written last; when they do not, the peer has broken its promise. What
// is counted on is the copy in here, which no peer can reach. Lives on the consumer's thread.
#pragma once

#include <cstdint>

#include "transport/control_block.h"

namespace penstock::transport {

class ConsumerAccount final {
 public:
  explicit ConsumerAccount(ControlLayout& block) : block_(block) {}

  /// Continues an earlier incarnation's account. kPeerCorrupt when it claims messages that were never sent.
  auto Adopt() -> base::Status;
  /// The block says what was written into it.
  auto intact() const noexcept -> bool;

  auto taken() const noexcept -> std::uint64_t { return taken_; }
  auto acked() const noexcept -> std::uint64_t { return acked_; }
  auto delivered() const noexcept -> std::uint64_t { return delivered_; }
  auto handling_since_ns() const noexcept -> std::uint64_t { return handling_since_ns_; }

  void SetTaken(std::uint64_t value) noexcept { Write(block_.taken, taken_, value); }
  void SetAcked(std::uint64_t value) noexcept { Write(block_.acked, acked_, value); }
  void SetDelivered(std::uint64_t value) noexcept { Write(block_.delivered, delivered_, value); }
  void SetLost(std::uint64_t value) noexcept { Write(block_.lost, lost_, value); }
  void CountRedelivered() noexcept { Write(block_.redelivered, redelivered_, redelivered_ + 1); }
  void SetHandling(std::uint64_t sequence, std::uint64_t since_ns) noexcept {
    block_.handling_sequence.store(sequence, std::memory_order_relaxed);
    Write(block_.handling_since_ns, handling_since_ns_, since_ns);
  }

 private:
  static void Write(std::atomic<std::uint64_t>& field, std::uint64_t& own, std::uint64_t value) noexcept {
    own = value;
    field.store(value, std::memory_order_release);
  }

  ControlLayout& block_;
  std::uint64_t taken_ = 0;
  std::uint64_t acked_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t redelivered_ = 0;
  std::uint64_t handling_since_ns_ = 0;
};

}  // namespace penstock::transport
