#include "session/engine_account.h"

#include <algorithm>

namespace penstock::session {

void EngineAccount::Add(const docker::RequestTiming& timing) {
  if (timing.target.find("/wait") != std::string::npos) return;
  const std::lock_guard lock(mutex_);
  requests_.emplace_back(timing.started, timing.finished);
}

auto EngineAccount::Covered(Time from, Time to) const -> double {
  std::vector<std::pair<Time, Time>> requests;
  {
    const std::lock_guard lock(mutex_);
    requests = requests_;
  }
  std::ranges::sort(requests);
  std::chrono::duration<double> covered{0};
  auto reached = from;
  for (const auto& [started, finished] : requests) {
    const auto begin = std::max(started, reached);
    const auto end = std::min(finished, to);
    if (end <= begin) continue;
    covered += end - begin;
    reached = end;
  }
  return covered.count();
}

}  // namespace penstock::session
