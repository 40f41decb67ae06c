#include "transport/control_block.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace penstock::transport {
namespace {
using base::ErrorCode;
using base::Fail;

// Far above every sensible contract, small enough that sums and products of them cannot overflow.
constexpr std::uint32_t kMaxDepth = 1U << 16U;

constexpr double kMostCounted = 0x1p63;

// Values below 8 have a bucket each; above, 8 buckets for each power of two.
auto BucketOf(std::uint64_t value) noexcept -> std::size_t {
  if (value < 8) return static_cast<std::size_t>(value);
  const auto exponent = static_cast<std::uint64_t>(std::bit_width(value)) - 1;
  const auto index = (exponent - 2) * 8 + ((value >> (exponent - 3)) & 7U);
  return std::min(static_cast<std::size_t>(index), Histogram::kBuckets - 1);
}

auto UpperEdge(std::size_t bucket) noexcept -> std::uint64_t {
  if (bucket < 8) return bucket;
  const auto exponent = bucket / 8 + 2;
  return ((8U + bucket % 8 + 1) << (exponent - 3)) - 1;
}

auto CheckContract(const EdgeContract& contract) -> base::Status {
  if (contract.policy > Policy::kFail || contract.delivery > Delivery::kAtMostOnce) {
    return Fail(ErrorCode::kPeerCorrupt, "an edge's contract names policy {} and delivery {}, which do not exist",
                static_cast<unsigned>(contract.policy), static_cast<unsigned>(contract.delivery));
  }
  if (contract.depth == 0 || contract.depth > kMaxDepth || contract.max_held > kMaxDepth) {
    return Fail(ErrorCode::kPeerCorrupt,
                "an edge's contract has depth {} and holds {}; 1 to {} and at most {} are possible", contract.depth,
                contract.max_held, kMaxDepth, kMaxDepth);
  }
  return {};
}

}  // namespace

void Histogram::Record(std::uint64_t nanoseconds) noexcept {
  auto& count = counts[BucketOf(nanoseconds)];
  // One writer: no read-modify-write on the bus.
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

auto Histogram::Count() const noexcept -> std::uint64_t {
  std::uint64_t sum = 0;
  for (const auto& count : counts) sum += count.load(std::memory_order_relaxed);
  return sum;
}

auto Histogram::Quantile(double quantile) const noexcept -> std::uint64_t {
  std::array<std::uint64_t, kBuckets> snapshot{};
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) sum += snapshot[i] = counts[i].load(std::memory_order_relaxed);
  if (sum == 0) return 0;
  // Counts of a hostile writer may be so large that the product is beyond what a count can be.
  const auto wanted = std::ceil(std::clamp(quantile, 0.0, 1.0) * static_cast<double>(sum));
  const auto rank = wanted < kMostCounted ? std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted)) : sum;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += snapshot[i];
    if (seen >= rank) return UpperEdge(i);
  }
  return UpperEdge(kBuckets - 1);
}

void OriginRecord::Set(std::uint64_t message, const Origin& origin) noexcept {
  auto& slot = slots_[message % slots_.size()];
  // Each after the one before it: killed in between, the slot is empty.
  slot.message_plus_1.store(0, std::memory_order_release);
  slot.sequence.store(origin.sequence, std::memory_order_release);
  slot.input.store(origin.input, std::memory_order_release);
  slot.index.store(origin.index, std::memory_order_release);
  slot.message_plus_1.store(message + 1, std::memory_order_release);
}

auto OriginRecord::Of(std::uint64_t message) const noexcept -> std::optional<Origin> {
  const auto& slot = slots_[message % slots_.size()];
  if (slot.message_plus_1.load(std::memory_order_acquire) != message + 1) return std::nullopt;
  return Origin{.input = slot.input.load(std::memory_order_relaxed),
                .index = slot.index.load(std::memory_order_relaxed),
                .sequence = slot.sequence.load(std::memory_order_relaxed)};
}

auto JoinRecord::Latest() const noexcept -> std::size_t {
  const auto message = [this](std::size_t slot) { return slots_[slot].message_plus_1.load(std::memory_order_acquire); };
  return message(1) > message(0) ? 1 : 0;
}

void JoinRecord::Count(std::uint64_t message) noexcept {
  const auto latest = Latest();
  if (slots_[latest].message_plus_1.load(std::memory_order_relaxed) > message) return;
  auto& slot = slots_[1 - latest];
  const auto counted = count() + 1;
  // Each after the one before it: killed in between, the slot is empty.
  slot.message_plus_1.store(0, std::memory_order_release);
  slot.count.store(counted, std::memory_order_release);
  slot.message_plus_1.store(message + 1, std::memory_order_release);
}

auto JoinRecord::count() const noexcept -> std::uint64_t {
  const auto& slot = slots_[Latest()];
  return slot.message_plus_1.load(std::memory_order_acquire) == 0 ? 0 : slot.count.load(std::memory_order_relaxed);
}

ControlBlock::ControlBlock(base::UniqueFd fd, base::Mapping mapping, const EdgeContract& contract)
    : fd_(std::move(fd)), mapping_(std::move(mapping)), contract_(contract) {}

auto ControlBlock::Create(const EdgeContract& contract) -> base::Expected<ControlBlock> {
  PENSTOCK_TRY(CheckContract(contract));
  PENSTOCK_ASSIGN(auto fd, base::CreateSealedMemfd("penstock-edge", sizeof(ControlLayout)));
  PENSTOCK_ASSIGN(auto mapping, base::Mapping::Map(fd, sizeof(ControlLayout)));
  auto* layout = static_cast<ControlLayout*>(mapping.data());
  layout->policy = contract.policy;
  layout->delivery = contract.delivery;
  layout->depth = contract.depth;
  layout->max_held = contract.max_held;
  layout->max_in_flight_bytes = contract.max_in_flight_bytes;
  layout->magic = ControlLayout::kMagic;
  return ControlBlock(std::move(fd), std::move(mapping), contract);
}

auto ControlBlock::Map(base::UniqueFd fd) -> base::Expected<ControlBlock> {
  if (!base::HasSealedSize(fd)) {
    return Fail(ErrorCode::kPeerCorrupt,
                "a control block's memory is not sealed: its size could change under our feet");
  }
  PENSTOCK_ASSIGN(auto mapping, base::Mapping::Map(fd, sizeof(ControlLayout)));
  const auto* layout = static_cast<const ControlLayout*>(mapping.data());
  if (layout->magic != ControlLayout::kMagic)
    return Fail(ErrorCode::kPeerCorrupt, "a descriptor that should be a control block is something else");
  const EdgeContract contract{.policy = layout->policy,
                              .delivery = layout->delivery,
                              .depth = layout->depth,
                              .max_held = layout->max_held,
                              .max_in_flight_bytes = layout->max_in_flight_bytes};
  PENSTOCK_TRY(CheckContract(contract));
  return ControlBlock(std::move(fd), std::move(mapping), contract);
}

}  // namespace penstock::transport
