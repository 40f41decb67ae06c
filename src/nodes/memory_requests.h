// A worker's requests for memory behind the chunks of its outputs, and the runtime's answers.
//
// The node's thread asks and waits, the wire thread brings the answers. What the runtime granted counts whether it was
// asked for or not: when an output is opened it prepares what it expects.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "transport/chunk_memory.h"
#include "worker/protocol.h"

namespace penstock::nodes {

class MemoryRequests final {
 public:
  using Say = std::function<base::Status(const worker::Grow&)>;
  using AroundWait = std::function<void(const std::function<void()>& wait)>;

  MemoryRequests(std::size_t outputs, AroundWait around_wait);
  MemoryRequests(const MemoryRequests&) = delete;
  auto operator=(const MemoryRequests&) -> MemoryRequests& = delete;

  /// Before the first request.
  void SpeakThrough(Say say) { say_ = std::move(say); }
  /// The memory of an output, by its index in `configure`.
  auto of(std::size_t output) -> transport::ChunkMemory& { return outputs_.at(output); }

  /// Wire thread.
  void OnGrown(const worker::Grown& grown);
  void OnRefused(const worker::Refused& refused);
  /// No answer will come any more: requests that wait return kCancelled. Any thread.
  void Interrupt() noexcept;

 private:
  class Output final : public transport::ChunkMemory {
   public:
    Output(MemoryRequests& requests, std::uint32_t number) : requests_(&requests), number_(number) {}
    auto Grow(std::uint32_t chunk, std::uint64_t bytes, base::Deadline deadline)
        -> base::Expected<transport::Grant> override {
      return requests_->Ask(number_, chunk, bytes, deadline);
    }

   private:
    MemoryRequests* requests_;
    std::uint32_t number_;
  };
  auto Ask(std::uint32_t output, std::uint32_t chunk, std::uint64_t bytes, base::Deadline deadline)
      -> base::Expected<transport::Grant>;
  auto AskAndWait(const worker::Grow& request, base::Deadline deadline) -> base::Expected<transport::Grant>;
  auto AwaitAnswer(std::unique_lock<std::mutex>& lock, base::Deadline deadline) -> base::Status;
  void Answer(std::uint64_t id, base::Expected<transport::Grant> answer);

  AroundWait around_wait_;
  Say say_;
  std::deque<Output> outputs_;  // stable addresses

  std::mutex mutex_;
  std::condition_variable answered_;
  // Under mutex_:
  std::vector<std::uint64_t> every_;  // bytes behind each chunk, by output
  std::uint64_t last_id_ = 0;
  std::uint64_t open_id_ = 0;  // of the request that is not answered yet, 0: none
  std::optional<base::Expected<transport::Grant>> answer_;
  bool interrupted_ = false;
};

}  // namespace penstock::nodes
