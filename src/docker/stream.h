// An answer that keeps coming: events, or the output of a container.
#pragma once

#include <functional>
#include <memory>

#include "base/deadline.h"
#include "base/error.h"

namespace penstock::docker {

class Transfer;

/// Called once, on the I/O thread, when a stream ends by itself: success when the engine ended it in order, kPeerGone
/// when the connection broke (engine restarted), kPeerCorrupt when the engine sent nonsense. Not called after Stop.
using StreamEnd = std::function<void(const base::Status&)>;

/// Owner of one running stream; ends it when destroyed. Any thread; not by two threads at once.
///
/// The stream's callbacks run on the engine's I/O thread, one at a time. They must be short, and must not make
/// blocking calls of the Engine (those fail with kInternal).
class Stream final {
 public:
  Stream() = default;
  explicit Stream(std::shared_ptr<Transfer> transfer) : transfer_(std::move(transfer)) {}
  Stream(Stream&&) noexcept = default;
  auto operator=(Stream&& other) noexcept -> Stream&;
  Stream(const Stream&) = delete;
  auto operator=(const Stream&) -> Stream& = delete;
  ~Stream();

  /// Ends the stream. No callback runs after this returned (called inside a callback: after that callback returned).
  /// Do not hold a lock that a callback takes.
  void Stop();

  /// Waits until the stream has ended and its callbacks have returned; the result is what StreamEnd got.
  /// Errors: those, and kDeadline. kCancelled after Stop.
  auto Wait(base::Deadline deadline) const -> base::Status;

  explicit operator bool() const noexcept { return transfer_ != nullptr; }

 private:
  std::shared_ptr<Transfer> transfer_;
};

}  // namespace penstock::docker
