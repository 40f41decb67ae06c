// A point in time by which something must have happened. Passed down by value, so nested waits share one budget.
#pragma once

#include <chrono>
#include <optional>

namespace penstock::base {

class Deadline final {
 public:
  using Clock = std::chrono::steady_clock;

  static auto Never() -> Deadline { return Deadline(std::nullopt); }
  static auto In(std::chrono::nanoseconds duration) -> Deadline { return Deadline(Clock::now() + duration); }
  static auto At(Clock::time_point time) -> Deadline { return Deadline(time); }

  auto never() const noexcept -> bool { return !at_; }
  auto passed() const noexcept -> bool { return at_ && Clock::now() >= *at_; }
  /// Time left, zero when passed; nullopt for never.
  auto remaining() const -> std::optional<std::chrono::nanoseconds>;
  /// For poll(2) and epoll_wait(2): -1 for never, rounded up so that a wait never ends early.
  auto poll_timeout_ms() const -> int;
  auto time() const noexcept -> const std::optional<Clock::time_point>& { return at_; }

 private:
  explicit Deadline(std::optional<Clock::time_point> at) : at_(at) {}
  std::optional<Clock::time_point> at_;
};

}  // namespace penstock::base
