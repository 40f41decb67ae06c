// How often, and how soon, a node that fails is started again: the arithmetic, without clock and without dice.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "plan/plan.h"

namespace penstock::session {

class RestartBudget final {
 public:
  using Clock = std::chrono::steady_clock;
  /// To which the backoff is doubled at most.
  static constexpr std::chrono::seconds kLongestBackoff{30};

  explicit RestartBudget(const plan::Restart& limits) : limits_(limits) {}

  /// The node failed at `now`. How long to wait before it is started again; nullopt: it has been started as often as it
  /// may within the window. The first restart of a window is immediate, the others wait for the backoff, doubled from
  /// one to the next and shortened by up to a half by `jitter` (0…1), so that nodes that fail together do not return
  /// together. Failures at one message are a matter of their own from the second on: they wait for Backoff.
  auto Spend(Clock::time_point now, double jitter) -> std::optional<std::chrono::nanoseconds>;

  /// The wait before a restart that follows `earlier` others. Counts nothing.
  auto Backoff(std::size_t earlier, double jitter) const -> std::chrono::nanoseconds;

  /// The last restart was not the node's own doing.
  void Forgive();

  /// Restarts within the window that ended with the last call of Spend.
  auto spent() const -> std::size_t { return restarts_.size(); }

 private:
  plan::Restart limits_;
  std::deque<Clock::time_point> restarts_;  // within the window
};

}  // namespace penstock::session
