#include "session/restart_budget.h"

#include <algorithm>

namespace penstock::session {

auto RestartBudget::Spend(Clock::time_point now, double jitter) -> std::optional<std::chrono::nanoseconds> {
  while (!restarts_.empty() && now - restarts_.front() >= limits_.window) restarts_.pop_front();
  if (restarts_.size() >= limits_.max_attempts) return std::nullopt;
  std::chrono::nanoseconds delay{0};
  if (!restarts_.empty()) {
    const std::chrono::nanoseconds longest = kLongestBackoff;
    delay = limits_.backoff;
    for (std::size_t i = 1; i < restarts_.size() && delay < longest; ++i) delay *= 2;
    delay = std::max(std::chrono::nanoseconds(limits_.backoff), std::min(delay, longest));
    const auto shortened = std::clamp(jitter, 0.0, 1.0) / 2;
    delay -= std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(delay.count()) * shortened));
  }
  restarts_.push_back(now);
  return delay;
}

void RestartBudget::Forgive(std::size_t count) {
  for (; count > 0 && !restarts_.empty(); --count) restarts_.pop_back();
}

}  // namespace penstock::session
