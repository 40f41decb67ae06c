#include "observe/edge_stats.h"

namespace penstock::observe {

auto ReadEdgeStats(const transport::ControlBlock& block) -> EdgeStats {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const auto* layout = block.operator->();
  EdgeStats stats;
  stats.sent = layout->published.load(kRelaxed);
  stats.delivered = layout->delivered.load(kRelaxed);
  stats.acked = layout->acked.load(kRelaxed);
  stats.lost = layout->lost.load(kRelaxed);
  stats.redelivered = layout->redelivered.load(kRelaxed);
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
