#include "base/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

namespace penstock::base {
namespace {
constexpr std::uint64_t kWakeup = 0;
constexpr std::size_t kEventsPerRound = 64;

// epoll's 64 bits of user data carry descriptor and generation.
constexpr auto Key(int fd, std::uint64_t generation) -> std::uint64_t {
  return generation << 32U | static_cast<std::uint32_t>(fd);
}
}  // namespace

auto EventLoop::Create() -> Expected<std::unique_ptr<EventLoop>> {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return SystemError("create an epoll instance");
  UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup) return SystemError("create an eventfd");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeup;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wakeup.get(), &event) != 0) return SystemError("watch an eventfd");
  return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll), std::move(wakeup)));
}

EventLoop::EventLoop(UniqueFd epoll, UniqueFd wakeup) : epoll_(std::move(epoll)), wakeup_(std::move(wakeup)) {}
EventLoop::~EventLoop() = default;

auto EventLoop::Watch(int fd, std::uint32_t events, FdHandler handler) -> Status {
  const auto generation = next_generation_++ & 0xffff'ffffU;
  epoll_event event{};
  event.events = events;
  event.data.u64 = Key(fd, generation);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return SystemError(fmt::format("watch descriptor {}", fd));
  watched_[fd] = Watched{.generation = generation, .handler = std::make_shared<FdHandler>(std::move(handler))};
  return {};
}

void EventLoop::Unwatch(int fd) {
  if (watched_.erase(fd) == 0) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

auto EventLoop::After(std::chrono::nanoseconds delay, Task task) -> TimerId {
  const auto id = next_timer_++;
  const auto time = Deadline::Clock::now() + delay;
  timers_.emplace(std::pair(time, id), std::move(task));
  timer_times_.emplace(id, time);
  return id;
}

void EventLoop::Cancel(TimerId timer) {
  const auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) return;
  timers_.erase(std::pair(found->second, timer));
  timer_times_.erase(found);
}

void EventLoop::Post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wakeup_.get(), &one, sizeof(one));
}

void EventLoop::Stop() {
  Post([this] { stopping_ = true; });
}

void EventLoop::RunPosted() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

void EventLoop::RunTimers() {
  while (!timers_.empty() && timers_.begin()->first.first <= Deadline::Clock::now()) {
    auto node = timers_.extract(timers_.begin());
    timer_times_.erase(node.key().second);
    node.mapped()();
  }
}

auto EventLoop::NextTimer() const -> Deadline {
  return timers_.empty() ? Deadline::Never() : Deadline::At(timers_.begin()->first.first);
}

void EventLoop::Run() {
  std::array<epoll_event, kEventsPerRound> events{};
  while (!stopping_) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), NextTimer().poll_timeout_ms());
    for (int i = 0; i < count; ++i) {
      const auto& event = events.at(static_cast<std::size_t>(i));
      if (event.data.u64 == kWakeup) {
        std::uint64_t ignored = 0;
        [[maybe_unused]] const auto got = ::read(wakeup_.get(), &ignored, sizeof(ignored));
        continue;
      }
      const int fd = static_cast<int>(event.data.u64 & 0xffff'ffffU);
      const auto found = watched_.find(fd);
      if (found == watched_.end() || Key(fd, found->second.generation) != event.data.u64) continue;
      const auto handler = found->second.handler;  // keeps it alive when it unwatches itself
      (*handler)(event.events);
    }
    RunTimers();
    RunPosted();
  }
  stopping_ = false;
}

}  // namespace penstock::base
