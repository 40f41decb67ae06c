// Where an output gets the memory behind its chunks from: its worker's runtime (nodes/memory_requests.h), or, in a
// process that uses ports without a runtime, the host itself.
#pragma once

#include <cstdint>

#include "base/deadline.h"
#include "base/error.h"
#include "transport/grant.h"
#include "transport/segment_memory.h"

namespace penstock::transport {

class ChunkMemory {
 public:
  ChunkMemory() = default;
  ChunkMemory(const ChunkMemory&) = delete;
  auto operator=(const ChunkMemory&) -> ChunkMemory& = delete;
  virtual ~ChunkMemory() = default;

  /// Returns once chunk `chunk` can be written up to `bytes` of payload. On the thread that borrows. Errors: kOverQuota
  /// when there is no memory for it, with what to change; kDeadline; kCancelled.
  virtual auto Grow(std::uint32_t chunk, std::uint64_t bytes, base::Deadline deadline) -> base::Expected<Grant> = 0;
};

/// Takes the memory from the host, charged to this process.
class LocalMemory final : public ChunkMemory {
 public:
  explicit LocalMemory(SegmentMemory memory) : memory_(std::move(memory)) {}
  auto Grow(std::uint32_t chunk, std::uint64_t bytes, base::Deadline /*deadline*/) -> base::Expected<Grant> override {
    return memory_.Grow(chunk, bytes);
  }

 private:
  SegmentMemory memory_;
};

}  // namespace penstock::transport
