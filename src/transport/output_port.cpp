#include "transport/output_port.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/count.h"
#include "transport/backing.h"
#include "transport/byte_budget.h"
#include "transport/fork_guard.h"
#include "transport/iceoryx2/bridge.h"
#include "transport/monotonic.h"
#include "transport/realm.h"
#include "transport/spin_budget.h"

namespace penstock::transport {
namespace {
using base::ErrorCode;
using base::Fail;

struct Edge {
  explicit Edge(OutputEdge options)
      : id(std::move(options.id)), control(std::move(options.control)), consumer(std::move(options.consumer)) {}

  std::string id;
  ControlBlock control;
  Doorbell consumer;
  ByteBudget budget{control.contract().max_in_flight_bytes};
  std::atomic<bool> given_up{false};
  std::uint64_t acked_at_end = 0;  // as Drain saw it last

  auto policy() const noexcept -> Policy { return control.contract().policy; }

  /// Messages below `next` that the consumer has not acknowledged. A count from the future is taken for all of them: a
  /// hostile consumer can only let its own queue overflow.
  auto Unacknowledged(std::uint64_t next) const noexcept -> std::uint64_t {
    return next - std::min(control->acked.load(std::memory_order_acquire), next);
  }
  auto HasRoom(std::uint64_t next, std::uint64_t bytes) noexcept -> bool {
    const auto unacknowledged = Unacknowledged(next);
    return unacknowledged < control.contract().depth && budget.Allows(bytes, next - unacknowledged);
  }
  /// Whether message `next` has to do without room here, by the policy `full`.
  auto Lacks(Policy full, std::uint64_t next, std::uint64_t bytes) noexcept -> bool {
    return policy() == full && !HasRoom(next, bytes) && !given_up.load(std::memory_order_acquire);
  }
  auto Describe(std::uint64_t next, std::uint64_t bytes) const -> std::string {
    const auto& contract = control.contract();
    auto text = fmt::format("its consumer has {} unacknowledged (depth {})",
                            base::Count(Unacknowledged(next), "message"), contract.depth);
    if (contract.max_in_flight_bytes != 0)
      text += fmt::format(" of {}, and this one has {} (max_in_flight_bytes {})",
                          base::Count(budget.in_flight(), "byte"), bytes, contract.max_in_flight_bytes);
    return text;
  }
  /// The consumer claims to have acknowledged less than before: with credit kept, there never are more than `depth`.
  auto WentBack(std::uint64_t next) const noexcept -> bool {
    return policy() == Policy::kBlock && Unacknowledged(next) > control.contract().depth &&
           !given_up.load(std::memory_order_acquire);
  }
  /// The producer's lines say what the producer has written, with nothing on its way. Nobody else writes them.
  auto Intact(std::uint64_t next, std::uint64_t reserved, std::uint64_t closed) const noexcept -> bool {
    return control->reserved.load(std::memory_order_relaxed) == reserved &&
           control->published.load(std::memory_order_relaxed) == next &&
           control->closed.load(std::memory_order_relaxed) == closed;
  }
};

auto OriginOf(const message::Header& header) -> Origin {
  if ((header.flags & message::kFlagHasOrigin) == 0)
    return {.index = header.origin_index, .sequence = header.origin_sequence};
  return {.input = header.origin_input, .index = header.origin_index, .sequence = header.origin_sequence};
}

auto BlocksOf(const std::vector<std::unique_ptr<Edge>>& edges) -> std::vector<const ControlLayout*> {
  std::vector<const ControlLayout*> blocks;
  for (const auto& edge : edges) blocks.push_back(edge->control.operator->());
  return blocks;
}

auto InheritedOrigin(const std::vector<std::unique_ptr<Edge>>& edges, std::uint64_t first) -> std::optional<Origin> {
  if (first == 0) return std::nullopt;
  for (const auto& edge : edges) {
    if (auto origin = edge->control->origins.Of(first - 1)) return origin;
  }
  return std::nullopt;
}

// Reserved is what was begun to be sent.
auto HalfSentOrigin(const std::vector<std::unique_ptr<Edge>>& edges, std::uint64_t next) -> std::optional<Origin> {
  for (const auto& edge : edges) {
    if (edge->control->reserved.load(std::memory_order_acquire) <= next) continue;
    if (auto origin = edge->control->origins.Of(next)) return origin;
  }
  return std::nullopt;
}

auto TakeFromHost(const OutputPortOptions& options, const Segment& segment)
    -> base::Expected<std::unique_ptr<LocalMemory>> {
  PENSTOCK_ASSIGN(auto fd, segment.fd.Duplicate());
  PENSTOCK_ASSIGN(auto memory, SegmentMemory::Adopt(
                                   std::move(fd), segment.layout, options.realm_number,
                                   {.max_message_bytes = options.max_message_bytes, .chunks = segment.layout.chunks}));
  PENSTOCK_TRY(memory.Prepare(0));
  return std::make_unique<LocalMemory>(std::move(memory));
}

}  // namespace

// Killed between handing the message over and counting it, a producer leaves `published` one behind.
auto Sent(const ControlLayout& edge) noexcept -> std::uint64_t {
  const auto taken =
      std::min(edge.taken.load(std::memory_order_acquire), edge.reserved.load(std::memory_order_acquire));
  return std::max(edge.published.load(std::memory_order_acquire), taken);
}

// All edges of a port share the sequence. Those of a killed producer differ by at most the one message that it was
// sending: it is sent again under its number, and who has it already skips it. Edges further behind were given up
// before.
auto NextSequence(const std::vector<const ControlLayout*>& edges) noexcept -> std::uint64_t {
  std::uint64_t furthest = 0;
  for (const auto* edge : edges) furthest = std::max(furthest, Sent(*edge));
  const bool one_behind = std::ranges::any_of(edges, [&](const auto* edge) { return Sent(*edge) + 1 == furthest; });
  return one_behind ? furthest - 1 : furthest;
}

// A message that only some of the edges have is the last one of those; the others end before it.
void CloseForDead(const std::vector<ControlLayout*>& edges) noexcept {
  for (auto* edge : edges) {
    const auto sent = Sent(*edge);
    edge->reserved.store(sent, std::memory_order_release);
    edge->published.store(sent, std::memory_order_release);
    edge->waiting_since_ns.store(0, std::memory_order_release);
    // What the consumer has not by now, or had and lost with a worker of its own, will not come.
    edge->first_of_epoch.store(sent, std::memory_order_release);
    edge->refreshed.fetch_add(1, std::memory_order_release);
    edge->closed.store(sent + 1, std::memory_order_release);
  }
}

struct Loan::State {
  iceoryx2::Chunk chunk;
  const void* port = nullptr;
};

Loan::Loan(std::unique_ptr<State> state) : state_(std::move(state)) {}
Loan::Loan(Loan&& other) noexcept = default;
auto Loan::operator=(Loan&& other) noexcept -> Loan& = default;
Loan::~Loan() = default;
auto Loan::header() noexcept -> message::Header& { return *state_->chunk.header; }
auto Loan::bytes() noexcept -> std::span<std::byte> { return state_->chunk.bytes; }

struct OutputPort::State {
  OutputPortOptions options;
  Bell& credit;
  iceoryx2::Output output;
  std::unique_ptr<LocalMemory> local;  // without a runtime
  Backing backing;
  std::vector<std::unique_ptr<Edge>> edges;
  SpinBudget spin = SpinBudget::ForThisProcess();
  std::optional<Origin> inherited;
  std::optional<Origin> half_sent;  // node's thread
  std::uint64_t next = 0;           // node's thread
  bool closed = false;              // node's thread
  bool drained = false;             // node's thread
  std::atomic<bool> interrupted{false};

  State(OutputPortOptions opened, Bell& bell, iceoryx2::Output publisher, Segment segment,
        std::unique_ptr<LocalMemory> own_memory)
      : options(std::move(opened)),
        credit(bell),
        output(std::move(publisher)),
        local(std::move(own_memory)),
        backing(std::move(segment), local ? *local : *options.memory) {
    edges.reserve(options.edges.size());
    for (auto& edge : options.edges) edges.push_back(std::make_unique<Edge>(std::move(edge)));
    options.edges.clear();
  }

  auto Cancelled() const -> base::Status {
    if (interrupted.load(std::memory_order_acquire))
      return Fail(ErrorCode::kCancelled, "output '{}' was interrupted", options.service);
    return {};
  }

  auto HeldUp(std::uint64_t bytes) const noexcept -> bool {
    return std::ranges::any_of(edges, [&](const auto& edge) { return edge->Lacks(Policy::kBlock, next, bytes); });
  }
  // What `closed` says in the blocks.
  auto said_closed() const noexcept -> std::uint64_t { return closed ? next + 1 : 0; }
  // What `reserved` says: the number of what an earlier incarnation has half sent stays given out, for a successor.
  auto said_reserved() const noexcept -> std::uint64_t { return half_sent ? next + 1 : next; }
  auto IsIntact(const Edge& edge) const noexcept -> bool { return edge.Intact(next, said_reserved(), said_closed()); }
  auto Damaged() const noexcept -> bool {
    return std::ranges::any_of(edges, [&](const auto& edge) { return !IsIntact(*edge) || edge->WentBack(next); });
  }
  auto CheckAccounts() const -> base::Status {
    for (const auto& edge : edges) {
      if (!IsIntact(*edge)) {
        return Fail(ErrorCode::kPeerCorrupt,
                    "the account of edge '{}' is not what its producer has written: its consumer, or another process "
                    "of this node, has damaged it",
                    edge->id);
      }
      if (edge->WentBack(next)) {
        return Fail(ErrorCode::kPeerCorrupt,
                    "the account of edge '{}' says that {} not acknowledged, where {} are the most: its "
                    "consumer, or another process of this node, has damaged it",
                    edge->id, base::Count(edge->Unacknowledged(next), "message is", "messages are"),
                    edge->control.contract().depth);
      }
    }
    return {};
  }

  // While it waits for others, an edge that has room again says that it is not waited for.
  auto StillHeldUp(const std::vector<Edge*>& holders, std::uint64_t bytes) const noexcept -> bool {
    if (!HeldUp(bytes)) return false;
    for (auto* edge : holders) {
      auto& since = edge->control->waiting_since_ns;
      if (since.load(std::memory_order_relaxed) != 0 && !edge->Lacks(Policy::kBlock, next, bytes))
        since.store(0, std::memory_order_release);
    }
    return true;
  }

  auto AwaitRoom(std::uint64_t bytes, base::Deadline deadline) -> base::Status {
    if (!HeldUp(bytes)) [[likely]]
      return {};
    const auto since = MonotonicNow();
    std::vector<Edge*> holders;
    for (auto& edge : edges) {
      if (edge->Lacks(Policy::kBlock, next, bytes)) holders.push_back(edge.get());
    }
    if (holders.empty()) return Cancelled();
    for (auto* edge : holders) {
      edge->control->waiting_since_ns.store(static_cast<std::uint64_t>(since), std::memory_order_release);
      // One that sleeps with nothing to do and one that is waited for cannot both be right: it looks at its account.
      edge->consumer.arrivals().Wake();
    }
    const bool ready = WaitAt(credit, deadline, spin, [&] {
      return interrupted.load(std::memory_order_acquire) || !StillHeldUp(holders, bytes) || Damaged();
    });
    const auto waited = static_cast<std::uint64_t>(MonotonicNow() - since);
    // In this order, so that who reads them the other way round misses none of it.
    for (auto* edge : holders) edge->control->blocked_ns.fetch_add(waited / holders.size(), std::memory_order_release);
    for (auto* edge : holders) edge->control->waiting_since_ns.store(0, std::memory_order_release);
    PENSTOCK_TRY(Cancelled());
    PENSTOCK_TRY(CheckAccounts());
    if (!ready) {
      return Fail(ErrorCode::kDeadline, "edge '{}' had no room for message {} in time: {}", holders.front()->id, next,
                  holders.front()->Describe(next, bytes));
    }
    return {};
  }

  auto RefuseOverflow(std::uint64_t bytes) const -> base::Status {
    for (const auto& edge : edges) {
      if (!edge->Lacks(Policy::kFail, next, bytes)) continue;
      return Fail(ErrorCode::kOverflow,
                  "edge '{}' overflowed at message {}, and its policy is to fail: {}; raise its {}, or use the policy "
                  "'block'",
                  edge->id, next, edge->Describe(next, bytes),
                  edge->Lacks(Policy::kFail, next, 0) ? "depth" : "max_in_flight_bytes");
    }
    return {};
  }

  // At the end of the stream, at each edge: since when nothing was acknowledged.
  void SayWhoIsAwaited() const noexcept {
    for (const auto& edge : edges) {
      const bool awaited = edge->policy() == Policy::kBlock && edge->Unacknowledged(next) != 0 &&
                           !edge->given_up.load(std::memory_order_acquire);
      const auto acked = edge->control->acked.load(std::memory_order_acquire);
      auto& since = edge->control->waiting_since_ns;
      if (!awaited) {
        since.store(0, std::memory_order_release);
      } else if (std::exchange(edge->acked_at_end, acked) != acked || since.load(std::memory_order_relaxed) == 0) {
        since.store(static_cast<std::uint64_t>(MonotonicNow()), std::memory_order_release);
      }
    }
  }

  auto Acknowledged() const noexcept -> bool {
    return std::ranges::all_of(edges, [this](const auto& edge) {
      return edge->given_up.load(std::memory_order_acquire) || edge->Unacknowledged(next) == 0;
    });
  }
};

OutputPort::OutputPort(std::unique_ptr<State> state) : state_(std::move(state)) {}

OutputPort::~OutputPort() {
  if (InForkedChild()) return;
  for (auto& edge : state_->edges) {
    edge->control->producer_state.store(state_->drained ? EndState::kFinished : EndState::kDetached,
                                        std::memory_order_release);
  }
}

auto OutputPort::Open(OutputPortOptions options, const Doorbell& own) -> base::Expected<std::unique_ptr<OutputPort>> {
  PENSTOCK_TRY(RefuseInForkedChild());
  const iceoryx2::Service service{.root = RealmPath(options.realm_number),
                                  .name = options.service,
                                  .buffer = options.buffer,
                                  .history = options.history,
                                  .max_held = options.max_held};
  const iceoryx2::OutputLimits limits{.max_message_bytes = options.max_message_bytes,
                                      .consumers = options.edges.size(),
                                      .max_loans = options.max_loans};
  auto output = iceoryx2::Output::Open(service, limits);
  if (!output)
    return tl::make_unexpected(std::move(output).error().While(fmt::format("opening output '{}'", options.service)));
  PENSTOCK_ASSIGN(const auto layout, output->Layout());
  PENSTOCK_ASSIGN(auto segment, FindSegment(options.realm_number, layout.first,
                                            {.first = 0,
                                             .stride = layout.stride,
                                             .header_bytes = layout.header_bytes,
                                             .chunks = static_cast<std::uint32_t>(layout.chunks)}));
  std::unique_ptr<LocalMemory> local;
  if (options.memory == nullptr) {
    PENSTOCK_ASSIGN(local, TakeFromHost(options, segment));
  }
  auto state = std::make_unique<State>(std::move(options), own.credit(), std::move(*output), std::move(segment),
                                       std::move(local));
  state->next = NextSequence(BlocksOf(state->edges));
  state->inherited = InheritedOrigin(state->edges, state->next);
  state->half_sent = HalfSentOrigin(state->edges, state->next);
  for (auto& edge : state->edges) {
    auto& control = edge->control;
    control->first_of_epoch.store(state->next, std::memory_order_release);
    control->reserved.store(state->said_reserved(), std::memory_order_release);
    control->published.store(state->next, std::memory_order_release);
    control->waiting_since_ns.store(0, std::memory_order_release);
    control->closed.store(0, std::memory_order_release);
    control->epoch.store(state->options.epoch, std::memory_order_release);
    control->producer_state.store(EndState::kAttached, std::memory_order_release);
  }
  return std::unique_ptr<OutputPort>(new OutputPort(std::move(state)));
}

auto OutputPort::Borrow(std::uint64_t chunk_bytes, base::Deadline deadline) -> base::Expected<Loan> {
  auto& state = *state_;
  if (chunk_bytes > state.options.max_message_bytes) {
    return Fail(ErrorCode::kInvalidArgument,
                "a message of {} bytes is larger than output '{}' allows: raise max_message_bytes ({})", chunk_bytes,
                state.options.service, state.options.max_message_bytes);
  }
  auto chunk = state.output.Borrow(static_cast<std::size_t>(chunk_bytes));
  if (!chunk)
    return tl::make_unexpected(
        std::move(chunk).error().While(fmt::format("borrowing from output '{}'", state.options.service)));
  if (auto backed = state.backing.Ensure(chunk->bytes, deadline); !backed) {
    return tl::make_unexpected(
        std::move(backed).error().While(fmt::format("borrowing from output '{}'", state.options.service)));
  }
  *chunk->header = message::Header{};
  chunk->header->payload_bytes = chunk_bytes;
  return Loan(std::unique_ptr<Loan::State>(new Loan::State{.chunk = std::move(*chunk), .port = this}));
}

auto OutputPort::Publish(Loan loan, base::Deadline deadline) -> base::Expected<std::uint64_t> {
  PENSTOCK_TRY(RefuseInForkedChild());
  auto& state = *state_;
  if (state.closed)
    return Fail(ErrorCode::kConflict, "output '{}' was closed: nothing can be published any more",
                state.options.service);
  if (!loan.state_ || loan.state_->port != this)
    return Fail(ErrorCode::kInvalidArgument, "the loan does not belong to output '{}'", state.options.service);
  PENSTOCK_TRY(state.Cancelled());
  PENSTOCK_TRY(state.CheckAccounts());

  auto& header = loan.header();
  header.version = message::kHeaderVersion;
  header.size = sizeof(message::Header);
  if (auto valid = message::Validate(header, loan.bytes().size()); !valid) {
    return Fail(ErrorCode::kInvalidArgument, "output '{}' cannot publish: {}", state.options.service,
                valid.error().message());
  }
  const std::uint64_t bytes = loan.bytes().size();
  PENSTOCK_TRY(state.RefuseOverflow(bytes));
  PENSTOCK_TRY(state.AwaitRoom(bytes, deadline));

  const auto sequence = state.next;
  header.sequence = sequence;
  header.epoch = state.options.epoch;
  header.publish_time_ns = MonotonicNow();
  for (auto& edge : state.edges) {
    edge->control->origins.Set(sequence, OriginOf(header));
    edge->control->reserved.store(sequence + 1, std::memory_order_release);
  }
  if (auto sent = iceoryx2::Output::Send(std::move(loan.state_->chunk)); !sent) {
    for (auto& edge : state.edges) edge->control->reserved.store(state.said_reserved(), std::memory_order_release);
    return tl::make_unexpected(std::move(sent).error().While(
        fmt::format("publishing message {} of output '{}'", sequence, state.options.service)));
  }
  state.next = sequence + 1;
  state.half_sent.reset();
  for (auto& edge : state.edges) {
    if (!edge->given_up.load(std::memory_order_acquire)) edge->budget.Spend(sequence, bytes);
    edge->control->published.store(sequence + 1, std::memory_order_release);
  }
  for (auto& edge : state.edges) edge->consumer.arrivals().Ring();
  return sequence;
}

auto OutputPort::Refresh() -> base::Status {
  PENSTOCK_TRY(state_->output.Refresh());
  for (auto& edge : state_->edges) {
    edge->control->refreshed.fetch_add(1, std::memory_order_release);
    edge->consumer.arrivals().Ring();
  }
  return {};
}

auto OutputPort::blocked_ns() const noexcept -> std::uint64_t {
  std::uint64_t blocked = 0;
  for (const auto& edge : state_->edges) blocked += edge->control->blocked_ns.load(std::memory_order_relaxed);
  return blocked;
}

auto OutputPort::inherited() const noexcept -> const std::optional<Origin>& { return state_->inherited; }
auto OutputPort::half_sent() const noexcept -> const std::optional<Origin>& { return state_->half_sent; }

void OutputPort::SkipHalfSent() noexcept {
  auto& state = *state_;
  if (InForkedChild() || !state.half_sent) return;
  state.half_sent.reset();
  ++state.next;
  for (auto& edge : state.edges) {
    edge->control->reserved.store(state.next, std::memory_order_release);
    edge->control->first_of_epoch.store(state.next, std::memory_order_release);
    edge->control->published.store(state.next, std::memory_order_release);
    edge->consumer.arrivals().Ring();
  }
}

void OutputPort::CountSuppressed() noexcept {
  if (InForkedChild()) return;
  for (auto& edge : state_->edges) edge->control->suppressed.fetch_add(1, std::memory_order_relaxed);
}

auto OutputPort::segment() const noexcept -> const Segment& { return state_->backing.segment(); }

void OutputPort::GiveUp(std::string_view edge_id) {
  for (auto& edge : state_->edges) {
    if (edge->id == edge_id) edge->given_up.store(true, std::memory_order_release);
  }
  state_->credit.Ring();
}

void OutputPort::Interrupt() noexcept {
  state_->interrupted.store(true, std::memory_order_release);
  state_->credit.Ring();
}

void OutputPort::Close() noexcept {
  if (InForkedChild() || state_->closed) return;
  SkipHalfSent();  // nothing is sent again any more
  state_->closed = true;
  for (auto& edge : state_->edges) {
    edge->control->closed.store(state_->next + 1, std::memory_order_release);
    edge->consumer.arrivals().Ring();
  }
}

auto OutputPort::Drain(base::Deadline deadline) -> base::Status {
  PENSTOCK_TRY(RefuseInForkedChild());
  auto& state = *state_;
  if (!state.closed)
    return Fail(ErrorCode::kConflict, "output '{}' is not closed: drain it after Close", state.options.service);
  static_cast<void>(WaitAt(state.credit, deadline, 0, [&] {
    state.SayWhoIsAwaited();
    return state.interrupted.load(std::memory_order_acquire) || state.Acknowledged() || state.Damaged();
  }));
  for (auto& edge : state.edges) edge->control->waiting_since_ns.store(0, std::memory_order_release);
  if (state.Acknowledged()) {
    state.drained = true;
    return {};
  }
  PENSTOCK_TRY(state.Cancelled());
  PENSTOCK_TRY(state.CheckAccounts());
  std::string waiting;
  for (const auto& edge : state.edges) {
    if (const auto left = edge->Unacknowledged(state.next); left != 0 && !edge->given_up)
      waiting += fmt::format("{}'{}' ({})", waiting.empty() ? "" : ", ", edge->id, left);
  }
  return Fail(ErrorCode::kDeadline, "output '{}' ended but messages are not acknowledged in time on edges {}",
              state.options.service, waiting);
}

}  // namespace penstock::transport
