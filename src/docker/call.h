// How long a call may take, who may cancel it, and what it took: common to all calls of the client.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>

#include "base/deadline.h"
#include "base/error.h"

namespace penstock::docker {

/// Limits of one call. Errors: kDeadline when `deadline` passes first, kCancelled when `stop` is requested first.
struct Call {
  Call(base::Deadline until) : deadline(until) {}  // NOLINT(google-explicit-constructor): a deadline is the usual case
  Call(base::Deadline until, std::stop_token token) : deadline(until), stop(std::move(token)) {}

  base::Deadline deadline;
  std::stop_token stop;
};

/// The time account of one HTTP request: what is inside [started, finished] is the engine's share (and the socket's).
struct RequestTiming {
  std::string method{};
  std::string target{};  // path and query
  std::chrono::steady_clock::time_point started{};
  std::chrono::steady_clock::time_point finished{};  // answer complete; for streams: head of the answer received
  int status = 0;                                    // HTTP status; 0 when there was no answer
};

/// Called after each request on the thread that made the call; must be safe to call from several threads.
using RequestObserver = std::function<void(const RequestTiming&)>;

}  // namespace penstock::docker
