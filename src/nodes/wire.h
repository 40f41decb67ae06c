// A worker's control channel and the thread that serves it ("penstock-wire").
//
// The thread opens and connects the ports in step with the runtime while the node is still being imported and set up,
// refreshes outputs when consumers attach, and interrupts the node's waits when the runtime has gone.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/event_loop.h"
#include "base/packet_socket.h"
#include "base/unique_fd.h"
#include "nodes/port_set.h"
#include "worker/protocol.h"

namespace penstock::nodes {

class Wire final {
 public:
  /// `on_runtime_gone` is called on the wire's thread. Both arguments outlive the wire. Errors: kExhausted, which the
  /// runtime has been told, when no thread can be started.
  static auto Start(base::PacketSocket control, PortSet& ports, std::function<void()> on_runtime_gone)
      -> base::Expected<std::unique_ptr<Wire>>;
  Wire(const Wire&) = delete;
  auto operator=(const Wire&) -> Wire& = delete;
  /// Stops and joins the thread.
  ~Wire();

  /// Any thread.
  auto Say(const worker::FromWorker& message) -> base::Status;
  /// Says `message` unless last words were said before; from then on the runtime may close the channel at any time. Any
  /// thread.
  void SayLast(const worker::FromWorker& message);
  /// Waits for `start`. Errors: why the ports could not be opened (reported to the runtime already), kCancelled when
  /// the runtime is gone.
  auto AwaitStart() -> base::Status;

  /// As if the runtime had gone: the node's waits end. Any thread.
  void HangUp() const noexcept;

  auto stop_requested() const noexcept -> bool { return stop_requested_.load(std::memory_order_acquire); }
  auto runtime_gone() const noexcept -> bool { return runtime_gone_.load(std::memory_order_acquire); }
  /// Readable from when one of the two is true: for whoever waits for descriptors.
  auto stopped() const noexcept -> const base::UniqueFd& { return stopped_; }

 private:
  Wire(base::PacketSocket control, PortSet& ports, std::function<void()> on_runtime_gone,
       std::unique_ptr<base::EventLoop> loop, base::UniqueFd stopped);

  void Run();
  void OnReadable();
  void Handle(const worker::ToWorker& message);
  void Step(base::Status done, const worker::FromWorker& answer);
  void FailPorts(base::Error error);
  void SayOnce(const worker::FromWorker& message);
  void OnGone();
  void SayStopped() const noexcept;

  base::PacketSocket control_;
  PortSet& ports_;
  std::function<void()> on_runtime_gone_;
  std::unique_ptr<base::EventLoop> loop_;
  base::UniqueFd stopped_;  // an eventfd
  std::atomic<bool> stop_requested_{false};
  std::atomic<bool> runtime_gone_{false};
  std::atomic<bool> last_words_{false};
  std::atomic<bool> ending_{false};  // the node's thread has said how it ended

  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;                // under mutex_
  std::optional<base::Error> failure_;  // under mutex_

  std::thread thread_;  // last: it uses everything above
};

}  // namespace penstock::nodes
