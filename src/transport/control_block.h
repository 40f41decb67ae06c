// The account of one edge, in a memfd that the runtime made and both ends map.
//
// Every field has one writer: the runtime writes the contract before anyone else sees the block, the producer its own
// cache lines, the consumer its own. The other side may be hostile: readers clamp and check what they use, nothing in
// here is an address or a size that is followed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "base/error.h"
#include "base/mapping.h"
#include "base/unique_fd.h"

namespace penstock::transport {

enum class Policy : std::uint32_t { kBlock = 0, kDropOldest = 1, kLatest = 2, kFail = 3 };
enum class Delivery : std::uint32_t { kAtLeastOnce = 0, kAtMostOnce = 1 };

/// What the manifest promises about one edge.
struct EdgeContract {
  Policy policy = Policy::kBlock;
  Delivery delivery = Delivery::kAtLeastOnce;
  std::uint32_t depth = 8;     // block: unacknowledged messages; drop_oldest: queue length; latest: always 1
  std::uint32_t max_held = 4;  // messages a handler may keep beyond its own call
  /// block and fail: unacknowledged bytes, payload and metadata; 0: no bound. A message beyond it passes alone.
  std::uint64_t max_in_flight_bytes = 0;
};

/// Whether a full queue loses its oldest message, instead of holding its producer up or ending it.
constexpr auto MayDrop(Policy policy) noexcept -> bool {
  return policy == Policy::kDropOldest || policy == Policy::kLatest;
}

/// Log-linear histogram of nanoseconds: 8 buckets per power of two, so a bucket's width is at most 12.5 % of its value.
/// One writer; readers get a snapshot that may be a few counts behind.
struct Histogram {
  static constexpr std::size_t kBuckets = 320;
  std::array<std::atomic<std::uint64_t>, kBuckets> counts;

  void Record(std::uint64_t nanoseconds) noexcept;
  auto Count() const noexcept -> std::uint64_t;
  /// Upper edge of the bucket that holds the quantile (0…1); 0 when empty.
  auto Quantile(double quantile) const noexcept -> std::uint64_t;
};

/// What a node was doing when it published a message: handling the message `sequence` of its input edge `input`, of
/// which this was output number `index`. Without an input (kNoInput) `index` says what gave it (nodes/own_origin.h),
/// and `sequence` counts what that gave.
struct Origin {
  static constexpr std::uint32_t kNoInput = 0xffff'ffff;
  std::uint32_t input = kNoInput;
  std::uint32_t index = 0;
  std::uint64_t sequence = 0;

  friend auto operator==(const Origin&, const Origin&) -> bool = default;
};

/// The origins of an edge's last two messages. Two, since the one being published may turn out not to have been: then
/// the one before must still be there. Written before the message is sent, so that whatever was sent has its origin
/// here. One writer, the producer; read by its successor.
class OriginRecord final {
 public:
  void Set(std::uint64_t message, const Origin& origin) noexcept;
  /// Of `message`; nullopt when it is none of the last two.
  auto Of(std::uint64_t message) const noexcept -> std::optional<Origin>;

 private:
  struct Slot {
    std::atomic<std::uint64_t> message_plus_1;  // 0: empty
    std::atomic<std::uint64_t> sequence;
    std::atomic<std::uint32_t> input;
    std::atomic<std::uint32_t> index;
  };
  std::array<Slot, 2> slots_;
};

/// How many different messages of an edge were in sets of a join, and the last one of them. Two slots, since a consumer
/// that is killed while it writes one leaves the other: its successor, which makes the same set again, counts it once.
/// One writer, the consumer; the numbers grow.
class JoinRecord final {
 public:
  /// Counts `message` unless it is the last that was counted, or one before it.
  void Count(std::uint64_t message) noexcept;
  auto count() const noexcept -> std::uint64_t;

 private:
  struct Slot {
    std::atomic<std::uint64_t> message_plus_1;  // 0: empty
    std::atomic<std::uint64_t> count;
  };
  auto Latest() const noexcept -> std::size_t;
  std::array<Slot, 2> slots_;
};

/// In place of a number in `handling_sequence`: what was taken is kept for later.
inline constexpr std::uint64_t kHandlesNothing = ~std::uint64_t{0};

/// Of an input of a consumer that joins several: what the consumer, which handles none of what it has taken, waits for.
enum class Awaits : std::uint32_t { kNothing = 0, kAnotherInput = 1, kThisInput = 2 };

enum class EndState : std::uint32_t { kDetached = 0, kAttached = 1, kFinished = 2 };

struct ControlLayout {
  static constexpr std::uint64_t kMagic = 0x32'45'47'44'45'53'4e'50;  // "PNSEDGE2"

  // Runtime, before start.
  alignas(64) std::uint64_t magic;
  Policy policy;
  Delivery delivery;
  std::uint32_t depth;
  std::uint32_t max_held;
  std::uint64_t max_in_flight_bytes;

  // Producer. After its death, the runtime: for its successor, or to end the stream.
  alignas(64) std::atomic<std::uint64_t> reserved;  // sequence numbers given out: the next one to give
  std::atomic<std::uint64_t> published;             // all below are in the consumer's reach
  // Messages below are an earlier incarnation's. Between a producer's death and its successor the runtime raises it for
  // consumers that cannot have them any more.
  std::atomic<std::uint64_t> first_of_epoch;
  std::atomic<std::uint64_t> suppressed;  // not sent, since an earlier incarnation had sent them
  std::atomic<std::uint32_t> epoch;
  OriginRecord origins;
  std::atomic<std::uint64_t> blocked_ns;        // time the producer waited for room; shared by edges full together
  std::atomic<std::uint64_t> waiting_since_ns;  // CLOCK_MONOTONIC while it waits for room on this edge, else 0
  std::atomic<std::uint64_t> closed;            // end of stream: 1 + the number of messages ever published; 0: open
  std::atomic<std::uint64_t> refreshed;  // grows when history was delivered: messages appear, `published` stands still

  // Consumer.
  alignas(64) std::atomic<std::uint64_t> taken;  // next sequence number to take
  std::atomic<std::uint64_t> acked;              // all below are handled (or lost): the producer's credit
  std::atomic<std::uint64_t> delivered;          // messages handed to the node, first time
  std::atomic<std::uint64_t> lost;               // counted by gaps in the sequence
  std::atomic<std::uint64_t> redelivered;
  std::atomic<std::uint64_t> handling_since_ns;  // CLOCK_MONOTONIC while a handler runs, else 0
  std::atomic<std::uint64_t> handling_sequence;  // of the handler that runs, ran last, or comes next
  // What the node's outputs had waited for room, all their lives, when it began with it. Written after the time, so
  // that who reads it before the time never takes a wait for the handler's own.
  std::atomic<std::uint64_t> handling_blocked_base_ns;

  // Consumer that joins its inputs.
  alignas(64) JoinRecord joined;
  std::atomic<Awaits> awaits;

  // Who is there: each end writes its own, and the runtime that of a producer that has died.
  alignas(64) std::atomic<EndState> producer_state;
  std::atomic<EndState> consumer_state;

  alignas(64) Histogram queue_wait;    // publish → take
  alignas(64) Histogram handler;       // take → acknowledge
  alignas(64) Histogram overhead_cpu;  // CPU time per message that is not the node's own; filled when measuring
};

class ControlBlock final {
 public:
  /// The runtime's side: a new block, all counters zero.
  static auto Create(const EdgeContract& contract) -> base::Expected<ControlBlock>;
  /// A worker's side. kPeerCorrupt unless the size is sealed and sufficient and the contract is sane.
  static auto Map(base::UniqueFd fd) -> base::Expected<ControlBlock>;

  auto fd() const noexcept -> const base::UniqueFd& { return fd_; }
  /// The contract as it was when the block was mapped: later changes by a peer have no effect.
  auto contract() const noexcept -> const EdgeContract& { return contract_; }
  auto operator->() const noexcept -> ControlLayout* { return static_cast<ControlLayout*>(mapping_.data()); }

 private:
  ControlBlock(base::UniqueFd fd, base::Mapping mapping, const EdgeContract& contract);
  base::UniqueFd fd_;
  base::Mapping mapping_;
  EdgeContract contract_;
};

}  // namespace penstock::transport
