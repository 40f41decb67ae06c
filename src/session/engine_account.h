// How much of a stretch of time at least one request to the engine was under way: the engine's share of a start.
#pragma once

#include <chrono>
#include <mutex>
#include <vector>

#include "docker/call.h"

namespace penstock::session {

/// Any thread.
class EngineAccount final {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// For docker::EngineOptions::observer. Requests that wait for a container's end by their nature are left out.
  void Add(const docker::RequestTiming& timing);
  /// Seconds within [from, to] covered by requests.
  auto Covered(Time from, Time to) const -> double;

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<Time, Time>> requests_;
};

}  // namespace penstock::session
