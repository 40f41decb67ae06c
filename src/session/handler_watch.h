// Whether a node has been handling one message for too long: from readings of its account, as few as possible.
#pragma once

#include <chrono>
#include <cstdint>
#include <variant>

namespace penstock::session {

struct HandlerReading {
  std::uint64_t now_ns = 0;            // CLOCK_MONOTONIC
  std::uint64_t since_ns = 0;          // when the handler began; 0: none runs
  std::uint64_t blocked_ns = 0;        // how long it has waited for room of its outputs since, without the wait below
  std::uint64_t waiting_since_ns = 0;  // it waits for room since then; 0: it does not
};

/// Read again after this time.
using ReadAgain = std::chrono::nanoseconds;
/// The handler has had its time.
struct HandlerExpired {};
/// It has been at it for long, but its time stands still: a consumer of the node has not acknowledged.
struct HandlerWaits {
  ReadAgain again;
};

/// Pure. Time in which a node waits for room is its consumers', not the handler's. A reading is taken when the last one
/// said so: a handler that hangs is found at its very deadline, one that has waited for others before at most 25 ms
/// later, and a node that is idle costs one reading a timeout.
auto LookAtHandler(std::chrono::nanoseconds timeout, const HandlerReading& reading)
    -> std::variant<ReadAgain, HandlerExpired, HandlerWaits>;

}  // namespace penstock::session
