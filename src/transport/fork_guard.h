// A process that forks (multiprocessing, data loaders) gives its child copies of ports whose locks, threads and shared
// memory stay the parent's. The child must not touch them, not even in destructors.
#pragma once

#include <atomic>

#include "base/error.h"

namespace penstock::transport {

namespace detail {
extern std::atomic<bool> forked_child;
}

/// True in a child made by fork(2), until it executes another program.
inline auto InForkedChild() noexcept -> bool { return detail::forked_child.load(std::memory_order_relaxed); }

/// kUnsupported in a forked child.
auto FailInForkedChild() -> base::Status;
inline auto RefuseInForkedChild() -> base::Status { return InForkedChild() ? FailInForkedChild() : base::Status{}; }

}  // namespace penstock::transport
