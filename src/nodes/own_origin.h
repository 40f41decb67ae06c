// What a node gives without a message for its origin (transport::Origin::kNoInput).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "transport/control_block.h"

namespace penstock::nodes {

/// Origin::index. What each gives is counted by itself.
enum class Own : std::uint32_t {
  kProcess = 0,  // a source
  kTick = 1,     // a timer, which no successor repeats
  kFinish = 2,   // comes after all others
};
inline constexpr std::size_t kOwnKinds = 3;

inline auto IsOf(const transport::Origin& origin, Own own) -> bool {
  return origin.input == transport::Origin::kNoInput && origin.index == static_cast<std::uint32_t>(own);
}

/// Whether an earlier incarnation of this node has published `origin`, when `last` is what it published last.
inline auto WasPublished(const transport::Origin& origin, const std::optional<transport::Origin>& last) -> bool {
  if (!last || origin.input != last->input || IsOf(origin, Own::kTick) || IsOf(*last, Own::kTick)) return false;
  if (origin.input != transport::Origin::kNoInput)
    return origin.sequence == last->sequence && origin.index <= last->index;
  return origin.index == last->index ? origin.sequence <= last->sequence : IsOf(*last, Own::kFinish);
}

}  // namespace penstock::nodes
