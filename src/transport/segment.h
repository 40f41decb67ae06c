// The one file of a realm that holds an output's chunks, and where in it each chunk lies.
//
// iceoryx2 allocates it once, sparse: chunks of equal size behind each other, every one a header (the library's and
// ours) and room for the largest message. Memory is behind the parts of it that somebody has touched or granted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::transport {

/// Offsets and sizes in bytes. As a worker sends it, believed only after SegmentMemory::Adopt has checked it.
struct SegmentLayout {
  std::uint64_t first = 0;         // where chunk 0 begins in the file
  std::uint64_t stride = 0;        // from chunk to chunk
  std::uint64_t header_bytes = 0;  // from a chunk's start to its payload
  std::uint32_t chunks = 0;

  auto operator==(const SegmentLayout&) const -> bool = default;
};

/// A segment in the process that publishes from it.
struct Segment {
  base::UniqueFd fd;  // readable and writable
  SegmentLayout layout;
  const std::byte* base = nullptr;  // where the file is mapped

  /// Whether all of `payload` lies in chunks.
  auto Contains(std::span<const std::byte> payload) const noexcept -> bool;
  /// Which chunk has its payload at `payload`; `layout.chunks` or more for memory that is none of the segment's.
  auto ChunkOf(const std::byte* payload) const noexcept -> std::uint64_t;
};

/// The segment of which `chunk` is the first chunk, found among this process's mappings and opened in the realm.
/// Errors: kInternal when it is not there as iceoryx2 is known to make it.
auto FindSegment(int realm_number, const std::byte* chunk, SegmentLayout layout) -> base::Expected<Segment>;

}  // namespace penstock::transport
