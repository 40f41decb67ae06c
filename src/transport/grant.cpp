#include "transport/grant.h"

#include <algorithm>
#include <bit>

namespace penstock::transport {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kSmallestStep = kPage;

auto PageFloor(std::uint64_t bytes) -> std::uint64_t { return bytes / kPage * kPage; }
auto PageCeil(std::uint64_t bytes) -> std::uint64_t { return PageFloor(bytes + kPage - 1); }

}  // namespace

auto Holdings::Of(std::uint32_t chunk) const -> std::uint64_t {
  const auto found = beyond_.find(chunk);
  return found == beyond_.end() ? every_ : std::max(every_, found->second);
}

auto Holdings::Missing(std::uint32_t chunk, std::uint64_t bytes) const -> Range {
  const auto begin = layout_.first + chunk * layout_.stride;
  const auto held = Of(chunk);
  const bool has_header = any_ || held > 0;
  if (has_header && bytes <= held) return {};
  const auto from = PageFloor(has_header ? begin + layout_.header_bytes + held : begin);
  return {.offset = from, .bytes = PageCeil(begin + layout_.header_bytes + bytes) - from};
}

auto Holdings::MissingInAll(std::uint64_t bytes) const -> std::uint64_t {
  std::uint64_t sum = 0;
  for (std::uint32_t chunk = 0; chunk < layout_.chunks; ++chunk) sum += Missing(chunk, bytes).bytes;
  return sum;
}

void Holdings::Raise(std::uint32_t chunk, std::uint64_t bytes) {
  if (bytes > Of(chunk)) beyond_[chunk] = bytes;
}

void Holdings::RaiseAll(std::uint64_t bytes) {
  any_ = true;
  every_ = std::max(every_, bytes);
  std::erase_if(beyond_, [this](const auto& own) { return own.second <= every_; });
}

auto Decide(const Holdings& held, std::uint32_t chunk, std::uint64_t bytes, std::uint64_t max_bytes, Budget budget)
    -> Decision {
  using Scope = Decision::Scope;
  if (held.Missing(chunk, bytes).bytes == 0) return {.scope = Scope::kNothing, .bytes = bytes};
  for (const auto target : {std::min(RoundUpToStep(bytes), max_bytes), bytes}) {
    if (held.MissingInAll(target) <= budget.for_all) return {.scope = Scope::kAll, .bytes = target};
  }
  if (held.Missing(chunk, bytes).bytes <= budget.for_one) return {.scope = Scope::kOne, .bytes = bytes};
  return {.scope = Scope::kRefused, .bytes = bytes};
}

auto RoundUpToStep(std::uint64_t bytes) -> std::uint64_t {
  constexpr std::uint64_t kSteps = 8;
  const auto step = std::max(std::bit_floor(bytes) / kSteps, kSmallestStep);
  return (bytes + step - 1) / step * step;
}

}  // namespace penstock::transport
