#include "nodes/state_keeper.h"

namespace penstock::nodes {

using base::ErrorCode;
using base::Fail;

auto StateKeeper::Restore() -> base::Expected<std::optional<transport::KeptState>> {
  if (!memory_) return std::nullopt;
  PENSTOCK_ASSIGN(auto kept, memory_->Load());
  if (kept) included_ = kept->inputs;
  return kept;
}

auto StateKeeper::Keep(const std::optional<Handled>& message, const std::vector<std::uint64_t>& published,
                       std::uint32_t format, std::string_view bytes) -> base::Status {
  constexpr auto kMost = transport::StateMemory::kMaxBytes;
  if (!memory_) return Fail(ErrorCode::kUnsupported, "nothing is kept of node '{}', which is not restarted", node_);
  if (bytes.size() > kMost) {
    return Fail(ErrorCode::kExhausted,
                "the state that node '{}' wants to keep has {} bytes, and at most {} are kept: let its checkpoint "
                "give less, such as where something is instead of what it is",
                node_, bytes.size(), kMost);
  }
  if (message) included_[message->edge] = message->sequence + 1;
  return memory_->Keep(included_, published, format, bytes);
}

}  // namespace penstock::nodes
