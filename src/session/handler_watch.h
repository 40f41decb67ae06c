// Whether a node has been handling one message for too long: from readings of its account, as few as possible.
#pragma once

#include <chrono>
#include <cstdint>
#include <variant>

namespace penstock::session {

/// Pure. A reading is taken when the last one said so: a handler that hangs is found at its very deadline, or up to one
/// timeout later when the node has waited for its consumers shortly before, and a node that is idle costs one reading a
/// timeout.
class HandlerWatch final {
 public:
  struct Reading {
    std::uint64_t now_ns = 0;      // CLOCK_MONOTONIC
    std::uint64_t since_ns = 0;    // when the handler began; 0: none runs
    std::uint64_t blocked_ns = 0;  // how long the node has waited for credit of its outputs, all its life
    bool waits = false;            // it waits for credit now
  };
  /// Read again after this time.
  using Again = std::chrono::nanoseconds;
  /// The handler has had its time.
  struct Expired {};
  /// Its time stands still: a consumer of the node has not acknowledged. To be read again after the timeout.
  struct Waits {};

  explicit HandlerWatch(std::chrono::nanoseconds timeout) : timeout_(timeout) {}

  /// Time in which the node waited for credit is its consumers', not the handler's.
  auto Look(const Reading& reading) -> std::variant<Again, Expired, Waits>;

 private:
  std::chrono::nanoseconds timeout_;
  std::uint64_t since_ = 0;           // of the handler seen last
  std::uint64_t blocked_before_ = 0;  // when it had not begun yet
  std::uint64_t blocked_last_ = 0;    // at the last reading
};

}  // namespace penstock::session
