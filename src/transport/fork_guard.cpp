#include "transport/fork_guard.h"

#include <pthread.h>

namespace penstock::transport {

std::atomic<bool> detail::forked_child{false};

namespace {
// Registered when the library is loaded, so before any port exists.
const int kRegistered =
    pthread_atfork(nullptr, nullptr, [] { detail::forked_child.store(true, std::memory_order_relaxed); });
}  // namespace

auto FailInForkedChild() -> base::Status {
  static_cast<void>(kRegistered);
  return base::Fail(
      base::ErrorCode::kUnsupported,
      "this process was forked from a Penstock worker: ports belong to the worker itself; use them there and "
      "hand data to the child by other means");
}

}  // namespace penstock::transport
