// What the engine says about this user's containers while they live: one stream of events a runtime, kept by container.
//
// Inspecting a container that has ended is no alternative: the engine may have removed it by then.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "docker/engine.h"

namespace penstock::container {

/// The engine's side of a container's story, so far.
struct EngineRecord {
  bool out_of_memory = false;         // a process of it was killed at its memory limit, not necessarily the first
  std::optional<int> signal_asked{};  // the last signal that somebody had the engine send: docker kill, stop, rm -f
  std::optional<int> exit_code{};     // it has ended; 128 + n: by signal n
};

/// Any thread. The engine must outlive it.
class EventLedger final {
 public:
  struct Listener {
    /// A process of this container was killed at its memory limit.
    std::function<void(const std::string& container)> on_out_of_memory;
    /// The stream ended: the engine has stopped or is being restarted. What happens from now on is not heard.
    std::function<void(const base::Status& how)> on_lost;
  };
  /// While it lives the listener is called, on the engine's I/O thread: short, no blocking calls, nothing of the
  /// ledger.
  class Subscription final {
   public:
    Subscription() = default;
    Subscription(EventLedger& ledger, std::list<Listener>::iterator listener) : ledger_(&ledger), listener_(listener) {}
    Subscription(Subscription&& other) noexcept { *this = std::move(other); }
    auto operator=(Subscription&& other) noexcept -> Subscription&;
    Subscription(const Subscription&) = delete;
    auto operator=(const Subscription&) -> Subscription& = delete;
    /// No call runs after this returned.
    ~Subscription();

   private:
    EventLedger* ledger_ = nullptr;
    std::list<Listener>::iterator listener_;
  };

  /// Subscribes. Before the first container is started, so that nothing is missed.
  static auto Follow(const docker::Engine& engine, const docker::Call& call)
      -> base::Expected<std::unique_ptr<EventLedger>>;

  auto Listen(Listener listener) -> Subscription;
  auto Of(const std::string& container) const -> EngineRecord;
  /// Whether the engine has stopped or is about to: its stream has ended, or it does not listen any more, which is the
  /// first thing it stops doing; then it ends its containers, and goes on telling so.
  auto is_lost() const -> bool;
  /// Waits until the container has ended, the stream has, or the deadline passes.
  auto AwaitEnd(const std::string& container, base::Deadline deadline) const -> EngineRecord;

  // For tests; else called by the stream.
  explicit EventLedger(std::string engine_socket = {}) : engine_socket_(std::move(engine_socket)) {}
  void OnEvent(const docker::Event& event);
  void OnEnd(const base::Status& how);

 private:
  void WaitUntil(std::unique_lock<std::mutex>& lock, base::Deadline deadline, const std::function<bool()>& done) const;

  const std::string engine_socket_;  // empty: not looked at
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::string, EngineRecord> records_;
  std::list<std::string> ended_;  // oldest first
  bool lost_ = false;
  std::mutex listeners_mutex_;  // held during calls
  std::list<Listener> listeners_;
  docker::Stream stream_;  // last: stopped before what its callbacks use goes
};

}  // namespace penstock::container
