#include "observe/log_queue.h"

#include <iterator>
#include <numeric>

namespace penstock::observe {
namespace {

auto SizeOf(const LogRecord& record) -> std::size_t {
  return sizeof(LogRecord) + record.node.size() + record.logger.size() + record.text.size();
}

}  // namespace

void LogQueue::TellLoss() {
  // Few and small: they need no room of their own.
  auto told = loss_.Tell("the log could not be written fast enough");
  std::ranges::move(told, std::back_inserter(records_));
}

void LogQueue::Push(std::vector<LogRecord> records) {
  const auto bytes = std::accumulate(records.begin(), records.end(), std::size_t{0},
                                     [](std::size_t sum, const auto& record) { return sum + SizeOf(record); });
  {
    const std::lock_guard lock(mutex_);
    for (const auto& record : records) {
      if (record.dropped > 0) dropped_[{record.node, record.stream}] += record.dropped;
    }
    if (ended_ || bytes_ + bytes > max_bytes_) {
      for (const auto& record : records) {
        if (record.dropped == 0) ++dropped_[{record.node, record.stream}];
        loss_.Add(record);
      }
      return;
    }
    if (!loss_.empty()) TellLoss();
    bytes_ += bytes;
    for (const auto& record : records) {
      if (record.dropped == 0) ++accepted_[{record.node, record.stream}];
    }
    std::ranges::move(records, std::back_inserter(records_));
  }
  changed_.notify_one();
}

auto LogQueue::Take() -> std::vector<LogRecord> {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_ || !records_.empty(); });
  TellLoss();
  bytes_ = 0;
  return std::exchange(records_, {});
}

void LogQueue::End() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
}

auto LogQueue::accepted() const -> LogCounts {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

auto LogQueue::dropped() const -> LogCounts {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace penstock::observe
