// What an edge's account says, read without disturbing either end.
#pragma once

#include <cstdint>

#include "transport/control_block.h"

namespace penstock::observe {

struct EdgeStats {
  std::uint64_t sent = 0;       // by the producer
  std::uint64_t delivered = 0;  // handed to the consumer, first time
  std::uint64_t acked = 0;
  std::uint64_t queued = 0;     // given a number by the producer, not yet taken by the consumer
  std::uint64_t in_flight = 0;  // sent and not yet taken
  std::uint64_t lost = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t suppressed = 0;  // not sent again by a restarted producer
  std::uint64_t joined = 0;      // messages that were in sets of a join
  std::uint64_t blocked_ns = 0;
  std::uint64_t queue_wait_p50_ns = 0;
  std::uint64_t queue_wait_p99_ns = 0;
  std::uint64_t handled = 0;  // handler calls that ended
  std::uint64_t handler_p50_ns = 0;
  std::uint64_t handler_p99_ns = 0;
  std::uint64_t overhead_cpu_p50_ns = 0;  // 0 when it was not measured
  std::uint64_t overhead_cpu_p99_ns = 0;
  std::uint64_t handling_since_ns = 0;  // CLOCK_MONOTONIC, 0: no handler runs
  std::uint64_t handling_sequence = 0;
};

/// Whether what was sent is all accounted for. Each number is one end's own count, so that it may not be while they
/// run.
auto AddsUp(const EdgeStats& stats) -> bool;

auto ReadEdgeStats(const transport::ControlBlock& block) -> EdgeStats;

}  // namespace penstock::observe
