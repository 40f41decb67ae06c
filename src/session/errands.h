// Blocking work of a session, each piece on a thread of its own; what it found is posted to the session's loop.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <functional>
#include <list>
#include <thread>
#include <utility>

#include "base/event_loop.h"

namespace penstock::session {

/// Lives on the loop.
class Errands final {
 public:
  /// `on_idle` is called whenever the last one under way is done.
  Errands(base::EventLoop& loop, std::function<void()> on_idle) : loop_(loop), on_idle_(std::move(on_idle)) {}
  Errands(const Errands&) = delete;
  auto operator=(const Errands&) -> Errands& = delete;
  /// Waits for all.
  ~Errands() = default;

  /// Calls `work` on a thread named `name` (15 characters at most), and what it returns on the loop. Once that has
  /// happened the thread is gone.
  void Run(const char* name, std::function<std::function<void()>()> work) {
    const auto errand = threads_.emplace(threads_.end());
    *errand = std::jthread([this, name, errand, work = std::move(work)] {
      ::pthread_setname_np(::pthread_self(), name);
      auto then = work();
      loop_.Post([this, errand, then = std::move(then)] {
        threads_.erase(errand);  // joins
        if (then) then();
        if (threads_.empty()) on_idle_();
      });
    });
  }
  auto pending() const noexcept -> std::size_t { return threads_.size(); }

 private:
  base::EventLoop& loop_;
  std::function<void()> on_idle_;
  std::list<std::jthread> threads_;
};

}  // namespace penstock::session
