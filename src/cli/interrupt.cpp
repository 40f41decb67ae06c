#include "cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "cli/verbs.h"

namespace penstock::cli {
namespace {

constexpr timespec kPatience{.tv_sec = 5, .tv_nsec = 0};  // after the second signal; ending takes milliseconds

auto Signals() -> sigset_t {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  // As `nohup` has it, to outlive a terminal. (That shells start jobs in the background without SIGINT means nothing.)
  struct sigaction hang_up{};
  ::sigaction(SIGHUP, nullptr, &hang_up);
  if (hang_up.sa_handler != SIG_IGN) ::sigaddset(&signals, SIGHUP);
  return signals;
}

// False when the watch has ended.
auto Await(const sigset_t& signals, const std::stop_token& stop) -> bool {
  int signal = 0;
  return ::sigwait(&signals, &signal) == 0 && !stop.stop_requested();
}

}  // namespace

void BlockInterrupts() {
  const auto signals = Signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

InterruptWatch::InterruptWatch(std::function<void()> on_first, std::function<void()> on_second)
    : thread_([first = std::move(on_first), second = std::move(on_second)](const std::stop_token& stop) {
        ::pthread_setname_np(::pthread_self(), "penstock-signal");
        const auto signals = Signals();
        if (!Await(signals, stop)) return;
        first();
        if (!Await(signals, stop)) return;
        second();
        ::sigtimedwait(&signals, nullptr, &kPatience);
        if (!stop.stop_requested()) ::_exit(kInterrupted);
      }) {}

InterruptWatch::~InterruptWatch() {
  thread_.request_stop();
  ::pthread_kill(thread_.native_handle(), SIGTERM);
}

}  // namespace penstock::cli
