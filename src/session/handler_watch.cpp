#include "session/handler_watch.h"

#include <algorithm>

namespace penstock::session {

auto HandlerWatch::Look(const Reading& reading) -> std::variant<Again, Expired, Waits> {
  if (reading.since_ns != since_) blocked_before_ = blocked_last_;
  since_ = reading.since_ns;
  blocked_last_ = reading.blocked_ns;
  if (reading.since_ns == 0 || reading.since_ns > reading.now_ns) return timeout_;
  const auto age = reading.now_ns - reading.since_ns;
  if (const std::chrono::nanoseconds left = timeout_ - std::chrono::nanoseconds(age); left.count() > 0) return left;
  if (reading.waits) return Waits{};
  const auto waited = reading.blocked_ns - std::min(blocked_before_, reading.blocked_ns);
  const std::chrono::nanoseconds used(age - std::min(waited, age));
  if (used >= timeout_) return Expired{};
  return timeout_ - used;
}

}  // namespace penstock::session
