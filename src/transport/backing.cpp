#include "transport/backing.h"

#include <algorithm>

namespace penstock::transport {

auto Backing::OutsideOfSegment() -> base::Status {
  return base::Fail(base::ErrorCode::kPeerCorrupt,
                    "a chunk was borrowed that lies outside of its output's shared memory: a consumer has damaged it");
}

auto Backing::Extend(std::span<const std::byte> chunk, base::Deadline deadline) -> base::Status {
  const auto number = static_cast<std::uint32_t>(segment_.ChunkOf(chunk.data()));
  if (const auto own = beyond_.find(number); own != beyond_.end() && chunk.size() <= own->second) return {};
  PENSTOCK_ASSIGN(const auto grant, memory_->Grow(number, chunk.size(), deadline));
  every_ = std::max(every_, grant.every);
  if (grant.chunk > every_) beyond_[number] = grant.chunk;
  std::erase_if(beyond_, [this](const auto& own) { return own.second <= every_; });
  return {};
}

}  // namespace penstock::transport
