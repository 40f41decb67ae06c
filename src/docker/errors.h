// The sentences that this client says when the engine cannot be used, each with its remedy.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"

namespace penstock::docker {

/// connect(2) failed with `saved_errno`: kUnavailable (absent, not running) or kPermission.
auto ConnectError(const std::string& socket_path, int saved_errno) -> base::Error;

/// socket(2) failed with `saved_errno`.
auto NoSocketError(std::string_view attempt, int saved_errno) -> base::Error;

/// The engine answered `status` >= 300; its own message is taken out of `body`.
auto HttpError(std::string_view attempt, int status, std::string_view body) -> base::Error;

/// `answering`: the head of the answer had come.
auto DeadlineError(std::string_view attempt, const std::string& socket_path, std::chrono::nanoseconds waited,
                   bool answering) -> base::Error;

auto CancelledError(std::string_view attempt) -> base::Error;

/// The connection broke before the answer was complete.
auto LostError(std::string_view attempt, const std::string& socket_path) -> base::Error;

/// The answer breaks the protocol; `problem` says how: "the answer is not JSON".
auto MalformedError(std::string_view attempt, std::string_view problem) -> base::Error;

}  // namespace penstock::docker
