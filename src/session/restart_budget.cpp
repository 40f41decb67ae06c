#include "session/restart_budget.h"

#include <algorithm>

namespace penstock::session {

auto RestartBudget::Spend(Clock::time_point now, double jitter) -> std::optional<std::chrono::nanoseconds> {
  while (!restarts_.empty() && now - restarts_.front() >= limits_.window) restarts_.pop_front();
  if (restarts_.size() >= limits_.max_attempts) return std::nullopt;
  const auto delay = Backoff(restarts_.size(), jitter);
  restarts_.push_back(now);
  return delay;
}

auto RestartBudget::Backoff(std::size_t earlier, double jitter) const -> std::chrono::nanoseconds {
  if (earlier == 0) return {};
  const std::chrono::nanoseconds first = limits_.backoff;
  auto delay = first;
  for (std::size_t i = 1; i < earlier && delay < kLongestBackoff; ++i) delay *= 2;
  delay = std::max(first, std::min<std::chrono::nanoseconds>(delay, kLongestBackoff));
  const auto shortened = std::clamp(jitter, 0.0, 1.0) / 2;
  return delay - std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(delay.count()) * shortened));
}

void RestartBudget::Forgive() {
  if (!restarts_.empty()) restarts_.pop_back();
}

}  // namespace penstock::session
