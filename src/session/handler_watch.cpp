#include "session/handler_watch.h"

#include <algorithm>

namespace penstock::session {
namespace {

// Of a node that waits, so that one whose time is nearly up is not read without pause.
constexpr std::chrono::milliseconds kShortest{25};

}  // namespace

auto LookAtHandler(std::chrono::nanoseconds timeout, const HandlerReading& reading)
    -> std::variant<ReadAgain, HandlerExpired, HandlerWaits> {
  if (reading.since_ns == 0 || reading.since_ns > reading.now_ns) return timeout;
  const auto age = reading.now_ns - reading.since_ns;
  auto waited = reading.blocked_ns;
  if (reading.waiting_since_ns != 0)
    waited += reading.now_ns - std::clamp(reading.waiting_since_ns, reading.since_ns, reading.now_ns);
  const std::chrono::nanoseconds used(age - std::min(waited, age));
  const auto left = timeout - used;
  if (reading.waiting_since_ns != 0 && std::chrono::nanoseconds(age) >= timeout)
    return HandlerWaits{std::max<std::chrono::nanoseconds>(left, kShortest)};
  if (left.count() <= 0 && reading.waiting_since_ns == 0) return HandlerExpired{};
  return std::max<std::chrono::nanoseconds>(left, kShortest);
}

}  // namespace penstock::session
