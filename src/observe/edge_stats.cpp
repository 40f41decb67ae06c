#include "observe/edge_stats.h"

#include <algorithm>

#include "transport/output_port.h"

namespace penstock::observe {

auto AddsUp(const EdgeStats& stats) -> bool { return stats.sent == stats.delivered + stats.lost + stats.in_flight; }

auto ReadEdgeStats(const transport::ControlBlock& block) -> EdgeStats {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const auto* layout = block.operator->();
  EdgeStats stats;
  stats.sent = transport::Sent(*layout);
  stats.delivered = layout->delivered.load(kRelaxed);
  stats.acked = layout->acked.load(kRelaxed);
  // The two ends count without each other, so that a reader may see the consumer ahead; and of what a full queue has
  // pushed out the consumer learns only when it takes the next message.
  const auto taken = layout->taken.load(kRelaxed);
  const auto reserved = layout->reserved.load(kRelaxed);
  stats.queued = reserved > taken ? std::min<std::uint64_t>(reserved - taken, block.contract().depth) : 0;
  stats.in_flight = stats.sent - std::min(stats.sent, taken);
  stats.lost = layout->lost.load(kRelaxed);
  stats.redelivered = layout->redelivered.load(kRelaxed);
  stats.suppressed = layout->suppressed.load(kRelaxed);
  stats.joined = layout->joined.count();
  stats.blocked_ns = layout->blocked_ns.load(kRelaxed);
  stats.queue_wait_p50_ns = layout->queue_wait.Quantile(0.5);
  stats.queue_wait_p99_ns = layout->queue_wait.Quantile(0.99);
  stats.handled = layout->handler.Count();
  stats.handler_p50_ns = layout->handler.Quantile(0.5);
  stats.handler_p99_ns = layout->handler.Quantile(0.99);
  stats.overhead_cpu_p50_ns = layout->overhead_cpu.Quantile(0.5);
  stats.overhead_cpu_p99_ns = layout->overhead_cpu.Quantile(0.99);
  stats.handling_since_ns = layout->handling_since_ns.load(kRelaxed);
  stats.handling_sequence = layout->handling_sequence.load(kRelaxed);
  return stats;
}

}  // namespace penstock::observe
