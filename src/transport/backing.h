// Makes sure that a chunk has memory behind it before anyone writes to it: in a realm whose quota or whose host's
// memory is used up, the write would be a SIGBUS. Lives on the node's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/deadline.h"
#include "base/error.h"
#include "transport/chunk_memory.h"
#include "transport/segment.h"

namespace penstock::transport {

class Backing final {
 public:
  /// `memory` outlives it.
  Backing(Segment segment, ChunkMemory& memory) : segment_(std::move(segment)), memory_(&memory) {}

  /// Some comparisons once every chunk of the port is as large. Errors: those of ChunkMemory::Grow, and kPeerCorrupt
  /// for a chunk that is none of the segment's: writing to it would damage this process.
  auto Ensure(std::span<const std::byte> chunk, base::Deadline deadline) -> base::Status {
    if (!segment_.Contains(chunk)) [[unlikely]]
      return OutsideOfSegment();
    if (chunk.size() <= every_) [[likely]]
      return {};
    return Extend(chunk, deadline);
  }
  auto segment() const noexcept -> const Segment& { return segment_; }

 private:
  static auto OutsideOfSegment() -> base::Status;
  auto Extend(std::span<const std::byte> chunk, base::Deadline deadline) -> base::Status;

  Segment segment_;
  ChunkMemory* memory_;
  std::uint64_t every_ = 0;                                  // bytes behind each chunk
  std::unordered_map<std::uint32_t, std::uint64_t> beyond_;  // behind those that have more
};

}  // namespace penstock::transport
