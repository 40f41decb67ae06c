// Between those who have lines and the thread that writes them: never holds up the former.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

#include "observe/log_loss.h"

namespace penstock::observe {

/// Bounded by the memory that it takes; beyond that lines are dropped and counted. Thread-safe.
class LogQueue final {
 public:
  explicit LogQueue(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Takes all `records`, which stay together, or none. Does not wait. What was dropped before is told first.
  void Push(std::vector<LogRecord> records);
  /// Everything that is there, in order; waits for something. Empty once the queue has ended and is empty.
  auto Take() -> std::vector<LogRecord>;
  /// No more is taken: what is pushed from now on counts as dropped.
  void End();

  /// Lines taken in so far.
  auto accepted() const -> LogCounts;
  /// Lines dropped so far: here, or before they came here where a record says so.
  auto dropped() const -> LogCounts;

 private:
  void TellLoss();

  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<LogRecord> records_;
  std::size_t bytes_ = 0;
  LogLoss loss_;
  LogCounts accepted_;
  LogCounts dropped_;
  bool ended_ = false;
};

}  // namespace penstock::observe
