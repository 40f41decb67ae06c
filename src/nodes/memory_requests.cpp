#include "nodes/memory_requests.h"

#include <algorithm>
#include <utility>

namespace penstock::nodes {
namespace {
using base::ErrorCode;
using base::Fail;
}  // namespace

MemoryRequests::MemoryRequests(std::size_t outputs, AroundWait around_wait)
    : around_wait_(around_wait ? std::move(around_wait) : [](const std::function<void()>& wait) { wait(); }),
      every_(outputs) {
  for (std::size_t i = 0; i < outputs; ++i) outputs_.emplace_back(*this, static_cast<std::uint32_t>(i));
}

auto MemoryRequests::Ask(std::uint32_t output, std::uint32_t chunk, std::uint64_t bytes, base::Deadline deadline)
    -> base::Expected<transport::Grant> {
  {
    const std::lock_guard lock(mutex_);
    if (const auto every = every_[output]; bytes <= every) return transport::Grant{.every = every, .chunk = every};
  }
  std::optional<base::Expected<transport::Grant>> answer;
  around_wait_([&] { answer = AskAndWait({.id = 0, .output = output, .chunk = chunk, .bytes = bytes}, deadline); });
  return std::move(*answer);
}

auto MemoryRequests::AskAndWait(const worker::Grow& request, base::Deadline deadline)
    -> base::Expected<transport::Grant> {
  std::unique_lock lock(mutex_);
  // One request at a time: an earlier one may have run into its deadline here and still be under way there.
  PENSTOCK_TRY(AwaitAnswer(lock, deadline));
  answer_.reset();
  open_id_ = ++last_id_;
  auto numbered = request;
  numbered.id = open_id_;
  if (auto said = say_(numbered); !said) {
    open_id_ = 0;
    return tl::unexpected(std::move(said).error());
  }
  PENSTOCK_TRY(AwaitAnswer(lock, deadline));
  return std::move(*std::exchange(answer_, std::nullopt));
}

auto MemoryRequests::AwaitAnswer(std::unique_lock<std::mutex>& lock, base::Deadline deadline) -> base::Status {
  const auto ready = [this] { return interrupted_ || open_id_ == 0; };
  if (deadline.never()) {
    answered_.wait(lock, ready);
  } else if (!answered_.wait_until(lock, *deadline.time(), ready)) {
    return Fail(ErrorCode::kDeadline, "the runtime did not grant memory in time");
  }
  if (interrupted_) return Fail(ErrorCode::kCancelled, "interrupted while waiting for memory");
  return {};
}

void MemoryRequests::OnGrown(const worker::Grown& grown) {
  {
    const std::lock_guard lock(mutex_);
    if (grown.output >= every_.size()) return;
    auto& every = every_[grown.output];
    every = std::max(every, grown.every);
  }
  Answer(grown.id, transport::Grant{.every = grown.every, .chunk = grown.chunk});
}

void MemoryRequests::OnRefused(const worker::Refused& refused) {
  Answer(refused.id, tl::unexpected(base::Error(ErrorCode::kOverQuota, refused.message)));
}

void MemoryRequests::Answer(std::uint64_t id, base::Expected<transport::Grant> answer) {
  const std::lock_guard lock(mutex_);
  if (id == 0 || id != open_id_) return;
  open_id_ = 0;
  answer_ = std::move(answer);
  answered_.notify_all();
}

void MemoryRequests::Interrupt() noexcept {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  answered_.notify_all();
}

}  // namespace penstock::nodes
