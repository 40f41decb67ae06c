// How many bytes of an edge are under way, by what its producer has sent and its consumer acknowledged.
#pragma once

#include <cstdint>
#include <deque>

namespace penstock::transport {

/// Belongs to the producer's thread. Does nothing where there is no bound.
class ByteBudget final {
 public:
  /// `limit`: bytes; 0: none.
  explicit ByteBudget(std::uint64_t limit) noexcept : limit_(limit) {}

  /// Whether a message of `bytes` may follow, when all below `acknowledged` are handled. A message that is larger than
  /// the limit may when nothing else is under way.
  auto Allows(std::uint64_t bytes, std::uint64_t acknowledged) noexcept -> bool {
    while (!sent_.empty() && sent_.front().sequence < acknowledged) {
      in_flight_ -= sent_.front().bytes;
      sent_.pop_front();
    }
    return limit_ == 0 || in_flight_ == 0 || (bytes <= limit_ && in_flight_ <= limit_ - bytes);
  }
  void Spend(std::uint64_t sequence, std::uint64_t bytes) {
    if (limit_ == 0) return;
    sent_.push_back({.sequence = sequence, .bytes = bytes});
    in_flight_ += bytes;
  }
  /// As far as Allows has looked.
  auto in_flight() const noexcept -> std::uint64_t { return in_flight_; }

 private:
  struct Sent {
    std::uint64_t sequence;
    std::uint64_t bytes;
  };
  std::uint64_t limit_;
  std::uint64_t in_flight_ = 0;
  std::deque<Sent> sent_;
};

}  // namespace penstock::transport
