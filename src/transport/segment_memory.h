// The memory behind one output's segment, taken from the host by whoever owns this: the runtime for its workers, or a
// process that uses ports without a runtime.
//
// tmpfs pages are charged to whoever touches them first. What is taken here is charged to this process and not to the
// container that will write to it, and a write to it can no longer end in SIGBUS. Lives on one thread.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/unique_fd.h"
#include "transport/grant.h"
#include "transport/segment.h"

namespace penstock::transport {

/// What the plan says of the port; a segment that contradicts it is not its.
struct SegmentPromise {
  std::uint64_t max_message_bytes = 0;
  std::uint32_t chunks = 0;
};

class SegmentMemory final {
 public:
  /// Takes the descriptor and the layout from a peer that may be hostile: nothing is believed that the kernel does not
  /// confirm, and no path is looked up. Errors: kPeerCorrupt for anything but a writable regular file of the realm at
  /// descriptor `realm` that has room for the promised chunks.
  static auto Adopt(base::UniqueFd segment, const SegmentLayout& layout, int realm, SegmentPromise promise)
      -> base::Expected<SegmentMemory>;

  /// Puts memory behind the headers and the first `bytes` of all chunks, or of none. Errors: kOverQuota.
  auto Prepare(std::uint64_t bytes) -> base::Expected<Grant>;
  /// Puts memory behind the first `bytes` of `chunk`, and of all others when there is room. Errors: kOverQuota, with
  /// what is left and what to change; kPeerCorrupt for a chunk or a size that the port does not have.
  auto Grow(std::uint32_t chunk, std::uint64_t bytes) -> base::Expected<Grant>;

 private:
  SegmentMemory(base::UniqueFd segment, const SegmentLayout& layout, SegmentPromise promise)
      : fd_(std::move(segment)), promise_(promise), held_(layout) {}
  auto Take(std::uint32_t chunk, std::uint64_t bytes) -> base::Status;
  auto TakeAll(std::uint32_t first, std::uint64_t bytes) -> base::Status;

  base::UniqueFd fd_;
  SegmentPromise promise_;
  Holdings held_;
};

}  // namespace penstock::transport
