// Sending end of one output: one iceoryx2 publisher, and for each edge its control block and its consumer's doorbell.
//
// Two threads use it: the node's thread loans and publishes, the worker's transport thread refreshes connections when a
// peer attaches. Payloads are written by the node straight into shared memory and never copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "message/header.h"
#include "transport/chunk_memory.h"
#include "transport/control_block.h"
#include "transport/doorbell.h"
#include "transport/segment.h"

namespace penstock::transport {

/// A writable chunk of shared memory that becomes a message when published, or returns when dropped.
class Loan final {
 public:
  Loan(Loan&& other) noexcept;
  auto operator=(Loan&& other) noexcept -> Loan&;
  Loan(const Loan&) = delete;
  auto operator=(const Loan&) -> Loan& = delete;
  ~Loan();

  /// The header to fill: kind, shape, times, trace. Version, size, sequence and epoch are the port's.
  auto header() noexcept -> message::Header&;
  /// 64-byte aligned; as many bytes as were asked for, payload first, metadata from message::MetadataOffset.
  auto bytes() noexcept -> std::span<std::byte>;

 private:
  friend class OutputPort;
  struct State;
  explicit Loan(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct OutputEdge {
  std::string id;  // "vad.out->asr.in", for messages to people
  ControlBlock control;
  Doorbell consumer;
};

struct OutputPortOptions {
  std::string service;  // {session}_{node}_output
  int realm_number;     // descriptor at which the realm is placed
  std::uint64_t max_message_bytes;
  std::uint32_t history;        // the largest depth of the port's block edges
  std::uint32_t buffer;         // the largest depth of any edge
  std::uint32_t max_held;       // the largest number of messages a consumer may have in hands (its max_held + 1)
  std::uint32_t max_loans = 2;  // loans at a time
  std::uint32_t epoch = 0;      // incarnation of this producer
  std::vector<OutputEdge> edges;
  /// Grants the memory behind chunks; outlives the port. Null: the host does, charged to this process.
  ChunkMemory* memory = nullptr;
};

/// What a producer has sent on an edge, whichever instruction it was killed at: the number after the last message that
/// the consumer may have seen.
auto Sent(const ControlLayout& edge) noexcept -> std::uint64_t;
/// The number with which a successor of the dead producer of one output continues, by the blocks of all its edges.
auto NextSequence(const std::vector<const ControlLayout*>& edges) noexcept -> std::uint64_t;
/// Ends the stream of a dead producer that gets no successor, on all edges of one output.
void CloseForDead(const std::vector<ControlLayout*>& edges) noexcept;

class OutputPort final {
 public:
  /// Opens (creates) the service and the publisher, and continues the sequence where the control blocks say.
  /// `own` is the node's doorbell: credit is awaited there. It must outlive the port.
  static auto Open(OutputPortOptions options, const Doorbell& own) -> base::Expected<std::unique_ptr<OutputPort>>;
  OutputPort(const OutputPort&) = delete;
  auto operator=(const OutputPort&) -> OutputPort& = delete;
  ~OutputPort();

  /// May wait, when the chunk is larger than all before it, for memory to be granted. Errors: kInvalidArgument beyond
  /// max_message_bytes; kExhausted when max_loans are out; kOverQuota when there is no memory for it (writing to it
  /// would be a SIGBUS); kDeadline and kCancelled while waiting.
  auto Borrow(std::uint64_t chunk_bytes, base::Deadline deadline = base::Deadline::Never()) -> base::Expected<Loan>;

  /// Waits for room on every block edge, gives the message the next sequence number, publishes and rings.
  /// Errors: kDeadline (the loan is returned to the pool and the number not used); kCancelled after Interrupt;
  /// kOverflow when there is no room on an edge whose policy is to fail.
  auto Publish(Loan loan, base::Deadline deadline) -> base::Expected<std::uint64_t>;

  /// How long this output has waited for room, in all its incarnations.
  auto blocked_ns() const noexcept -> std::uint64_t;

  /// What an earlier incarnation was doing when it published the last message that consumers may have seen; nullopt:
  /// nothing was published. What it published before while doing the same is not to be published again.
  auto inherited() const noexcept -> const std::optional<Origin>&;

  /// What an earlier incarnation was doing when it died over sending the message whose number is given out next: some
  /// consumers may have it, and skip what has the same number. Nullopt: nothing, or something was published since.
  auto half_sent() const noexcept -> const std::optional<Origin>&;
  /// That message is not sent again: who has it keeps it, for the others it is lost.
  void SkipHalfSent() noexcept;
  /// Counts a message that was not published for that reason.
  void CountSuppressed() noexcept;

  /// The file that the chunks are in, for whoever grants the memory. Any thread.
  auto segment() const noexcept -> const Segment&;
  /// Delivers history to consumers that attached since the last call. Any thread.
  auto Refresh() -> base::Status;
  /// A consumer that will not come back: its edge no longer holds credit or the end of the stream up. Any thread.
  void GiveUp(std::string_view edge_id);
  /// Makes a waiting Publish or Drain return kCancelled. Any thread.
  void Interrupt() noexcept;

  /// End of stream: no more Publish. Consumers see it once they have taken everything.
  void Close() noexcept;
  /// After Close: waits until every consumer has acknowledged everything or was given up, since unread messages die
  /// with the publisher.
  auto Drain(base::Deadline deadline) -> base::Status;

 private:
  struct State;
  explicit OutputPort(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace penstock::transport
