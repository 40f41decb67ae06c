// Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, the second for one at once, and if that does not come
// either the process goes: the kernel then closes the leases, and agents end their workers.
#pragma once

#include <functional>
#include <thread>

namespace penstock::cli {

/// Blocks the signals in the calling thread and every thread that it starts later. Call first thing in a verb.
void BlockInterrupts();

class InterruptWatch final {
 public:
  /// The handlers run on a thread of the watch's own ("penstock-signal").
  InterruptWatch(std::function<void()> on_first, std::function<void()> on_second);
  InterruptWatch(const InterruptWatch&) = delete;
  auto operator=(const InterruptWatch&) -> InterruptWatch& = delete;
  ~InterruptWatch();

 private:
  std::jthread thread_;
};

}  // namespace penstock::cli
