// One thread's reactor: descriptors, timers and work posted from other threads, on epoll.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::base {

/// All members but Post and Stop belong to the thread that calls Run (or to its creator before Run).
class EventLoop final {
 public:
  using FdHandler = std::function<void(std::uint32_t events)>;  // EPOLLIN, EPOLLHUP, …
  using Task = std::function<void()>;
  using TimerId = std::uint64_t;

  static auto Create() -> Expected<std::unique_ptr<EventLoop>>;
  EventLoop(const EventLoop&) = delete;
  auto operator=(const EventLoop&) -> EventLoop& = delete;
  ~EventLoop();

  /// Calls `handler` whenever one of `events` (level-triggered) is there, until Unwatch. The loop does not own `fd`.
  auto Watch(int fd, std::uint32_t events, FdHandler handler) -> Status;
  /// Must be called before `fd` is closed. Safe inside the handler of the same descriptor.
  void Unwatch(int fd);

  auto After(std::chrono::nanoseconds delay, Task task) -> TimerId;
  void Cancel(TimerId timer);

  /// Runs `task` on the loop's thread. Any thread.
  void Post(Task task);
  /// Makes Run return after the current round. Any thread; also effective before Run.
  void Stop();
  void Run();

 private:
  EventLoop(UniqueFd epoll, UniqueFd wakeup);
  struct Watched {
    std::uint64_t generation;
    std::shared_ptr<FdHandler> handler;
  };

  void RunPosted();
  void RunTimers();
  auto NextTimer() const -> Deadline;

  UniqueFd epoll_;
  UniqueFd wakeup_;
  std::unordered_map<int, Watched> watched_;
  std::uint64_t next_generation_ = 1;  // tells a stale event of a closed descriptor from one of its successor
  std::map<std::pair<Deadline::Clock::time_point, TimerId>, Task> timers_;
  std::unordered_map<TimerId, Deadline::Clock::time_point> timer_times_;
  TimerId next_timer_ = 1;

  std::mutex mutex_;
  std::vector<Task> posted_;
  bool stopping_ = false;
};

}  // namespace penstock::base
