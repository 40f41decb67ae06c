#include "docker/transfer.h"

#include "docker/io.h"

namespace penstock::docker {

void Transfer::SetHead() {
  const std::lock_guard lock(mutex_);
  finished = std::chrono::steady_clock::now();
  head_ = true;
  changed_.notify_all();
}

void Transfer::Complete(base::Status result) {
  bool had_head = false;
  {
    const std::lock_guard lock(mutex_);
    had_head = head_;
    if (!had_head) finished = std::chrono::steady_clock::now();
  }
  if (had_head && end && !*request.stopped) end(result);
  // What the callbacks hold goes before anybody hears of the end.
  end = nullptr;
  request.on_data = nullptr;
  request.on_end = nullptr;
  request.body_reader = nullptr;
  const std::lock_guard lock(mutex_);
  result_ = std::move(result);
  changed_.notify_all();
}

void Transfer::WaitUntilUsable() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return head_ || result_; });
}

auto Transfer::WaitUntilDone(base::Deadline until) -> bool {
  std::unique_lock lock(mutex_);
  const auto done = [this] { return result_.has_value(); };
  if (until.never()) {
    changed_.wait(lock, done);
    return true;
  }
  return changed_.wait_until(lock, *until.time(), done);
}

auto Transfer::has_head() -> bool {
  const std::lock_guard lock(mutex_);
  return head_;
}

auto Transfer::result() -> base::Status {
  const std::lock_guard lock(mutex_);
  return result_ ? *result_ : base::Status{};
}

auto Stream::operator=(Stream&& other) noexcept -> Stream& {
  if (this != &other) {
    Stop();
    transfer_ = std::move(other.transfer_);
  }
  return *this;
}

Stream::~Stream() { Stop(); }

void Stream::Stop() {
  if (!transfer_) return;
  const auto transfer = std::exchange(transfer_, nullptr);
  *transfer->request.stopped = true;
  const auto io = transfer->io.lock();
  if (!io) return;  // the engine is gone, and ended its streams before it went
  io->Cancel(transfer);
  if (!io->OnThisThread()) transfer->WaitUntilDone(base::Deadline::Never());
}

auto Stream::Wait(base::Deadline deadline) const -> base::Status {
  if (!transfer_) return base::Fail(base::ErrorCode::kCancelled, "the stream was stopped");
  if (!transfer_->WaitUntilDone(deadline)) {
    return base::Fail(base::ErrorCode::kDeadline, "cannot {}: the stream did not end in time",
                      transfer_->request.attempt);
  }
  return transfer_->result();
}

}  // namespace penstock::docker
