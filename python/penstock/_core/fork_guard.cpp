#include "fork_guard.h"

#include <pthread.h>

#include <atomic>

#include "python_api.h"

namespace penstock::core {
namespace {
std::atomic<bool> forked = false;
}  // namespace

void InstallForkGuard() {
  static const int installed = pthread_atfork(nullptr, nullptr, [] { forked.store(true, std::memory_order_relaxed); });
  static_cast<void>(installed);  // fails only without memory; then children are unguarded, as without the guard
}

auto Forked() noexcept -> bool { return forked.load(std::memory_order_relaxed); }

auto CheckNotForked() -> bool {
  if (!Forked()) return true;
  PyErr_SetString(
      PyExc_RuntimeError,
      "this process was forked from a Penstock worker: messages and ports belong to the worker itself. "
      "Copy what the child needs before the fork, hand its results back (queue, pipe) and emit them in the node");
  return false;
}

}  // namespace penstock::core
