// Keeps a traceback whole: its lines are passed on together, so that those of other nodes do not come between them.
// Lives on the loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "observe/log_record.h"

namespace penstock::observe {

/// For the lines of one stream. Any other line is passed on at once; from the first line of a traceback on, lines are
/// held until the stream falls silent, with limits on how long and how much. Recognised is what CPython writes, chained
/// exceptions and faulthandler's stacks of all threads included.
class TracebackGroup final {
 public:
  using Handler = std::function<void(std::vector<LogRecord>)>;

  TracebackGroup(base::EventLoop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {}
  TracebackGroup(const TracebackGroup&) = delete;
  auto operator=(const TracebackGroup&) -> TracebackGroup& = delete;
  ~TracebackGroup();

  void Add(LogRecord line);
  /// The stream has ended, or whoever reads will not wait.
  void Flush();

  static constexpr std::size_t kMaxBytes = std::size_t{256} << 10U;
  // Between two writes of one traceback lies a system call, or a preemption on a busy machine.
  static constexpr std::chrono::milliseconds kSilenceWithin{250};
  static constexpr std::chrono::milliseconds kSilenceAfter{20};  // another, caused by the first, may follow
  static constexpr std::chrono::seconds kLongest{1};

 private:
  void Arm();

  base::EventLoop& loop_;
  Handler handler_;
  std::vector<LogRecord> held_;
  std::size_t bytes_ = 0;
  bool within_ = false;  // the line that says what was raised is still to come
  base::Deadline::Clock::time_point began_;
  base::EventLoop::TimerId timer_ = 0;
};

}  // namespace penstock::observe
