#include "transport/input_port.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <utility>

#include "base/count.h"
#include "transport/consumer_account.h"
#include "transport/file_mappings.h"
#include "transport/fork_guard.h"
#include "transport/iceoryx2/bridge.h"
#include "transport/monotonic.h"
#include "transport/realm.h"

namespace penstock::transport {
namespace {
using base::ErrorCode;
using base::Fail;

// Messages of one port that are alive; they may outlive it.
using HeldCounter = std::shared_ptr<std::atomic<std::uint32_t>>;

// A received message whose private header passed its checks.
struct Arrival {
  iceoryx2::Sample sample;
  message::Header header;
};

// What the producer says in the account.
struct Sent {
  std::uint64_t published = 0;
  std::uint64_t refreshed = 0;
  std::uint64_t closed = 0;
  std::uint64_t first_of_epoch = 0;
};

// The time in a header is its producer's word: not before it, and not after now.
auto SinceNs(std::int64_t then, std::int64_t now) -> std::uint64_t {
  return then < 0 || then > now ? 0 : static_cast<std::uint64_t>(now - then);
}

}  // namespace

struct Message::State {
  iceoryx2::Sample sample;
  message::Header header;
  bool redelivered = false;
  HeldCounter held;
};

Message::Message(std::unique_ptr<State> state) : state_(std::move(state)) {}
Message::Message(Message&& other) noexcept = default;
auto Message::operator=(Message&& other) noexcept -> Message& {
  if (this != &other) {
    Message released(std::move(*this));
    state_ = std::move(other.state_);
  }
  return *this;
}
Message::~Message() {
  if (!state_) return;
  state_->sample.handle.reset();
  state_->held->fetch_sub(1, std::memory_order_release);
}
auto Message::header() const noexcept -> const message::Header& { return state_->header; }
auto Message::payload() const noexcept -> std::span<const std::byte> {
  return state_->sample.bytes.first(static_cast<std::size_t>(state_->header.payload_bytes));
}
auto Message::metadata() const noexcept -> std::string_view {
  const auto& header = state_->header;
  if (header.metadata_bytes == 0) return {};
  const auto part = state_->sample.bytes.subspan(
      static_cast<std::size_t>(message::MetadataOffset(header.payload_bytes)), header.metadata_bytes);
  return {reinterpret_cast<const char*>(part.data()), part.size()};
}
auto Message::redelivered() const noexcept -> bool { return state_->redelivered; }

struct InputPort::State {
  InputPortOptions options;
  iceoryx2::Input input;
  RealmMemory memory;
  ConsumerAccount account;
  HeldCounter held = std::make_shared<std::atomic<std::uint32_t>>(0);
  std::deque<Arrival> pending;  // in order; fetched while looking for messages of an earlier epoch
  std::uint32_t epoch = 0;
  bool epoch_known = false;

  std::uint64_t next = 0;             // the sequence number that comes next
  std::uint64_t taken_before = 0;     // by earlier incarnations: below it a message is a repetition
  std::uint64_t after_delivered = 0;  // one after the last message that was handed out
  bool handles_later = false;         // messages are taken before it is their turn

  Sent seen;  // as it was when there was nothing to take
  std::uint32_t mapped_epoch = 0;
  std::uint64_t mapped_refreshed = 0;

  State(InputPortOptions opened, iceoryx2::Input subscriber, RealmMemory of_realm)
      : options(std::move(opened)), input(std::move(subscriber)), memory(std::move(of_realm)), account(control()) {}

  auto contract() const noexcept -> const EdgeContract& { return options.control.contract(); }
  auto control() const noexcept -> ControlLayout& { return *options.control.operator->(); }

  auto Resume() -> base::Status;
  auto SentSoFar() const noexcept -> Sent;
  auto CheckAccount(const Sent& sent) const -> base::Status;
  auto CheckSequence(std::uint64_t sequence) const -> base::Status;
  void ForgetWhatIsUnmapped(std::uint32_t of_epoch, std::uint64_t refreshed) noexcept;
  auto Receive() -> base::Expected<std::optional<Arrival>>;
  auto Next() -> base::Expected<std::optional<Arrival>>;
  auto FetchAll() -> base::Status;
  auto CloseGap(std::uint64_t sequence) -> base::Status;
  void CountTail(const Sent& sent);
  auto Deliver(Arrival arrival) -> Message;
  void MarkHandling(std::uint64_t sequence, std::int64_t now) noexcept;
  void Credit(std::uint64_t upto) noexcept;
};

// Continues where an earlier incarnation stopped.
auto InputPort::State::Resume() -> base::Status {
  if (auto adopted = account.Adopt(); !adopted)
    return tl::make_unexpected(
        std::move(adopted).error().While(fmt::format("opening the input of edge '{}'", options.id)));
  const bool repeats = !MayDrop(contract().policy) && contract().delivery == Delivery::kAtLeastOnce;
  next = repeats ? account.acked() : account.taken();
  taken_before = account.taken();
  after_delivered = next;
  control().awaits.store(Awaits::kNothing, std::memory_order_release);
  Credit(next);
  control().consumer_state.store(EndState::kAttached, std::memory_order_release);
  return {};
}

auto InputPort::State::SentSoFar() const noexcept -> Sent {
  const auto& block = control();
  return {.published = block.published.load(std::memory_order_acquire),
          .refreshed = block.refreshed.load(std::memory_order_acquire),
          .closed = block.closed.load(std::memory_order_acquire),
          .first_of_epoch = block.first_of_epoch.load(std::memory_order_acquire)};
}

// What the producer claims must be possible, and what this end has written must still be there. A producer that was
// killed may have reserved one message less than it had sent.
auto InputPort::State::CheckAccount(const Sent& sent) const -> base::Status {
  if (!account.intact()) {
    return Fail(ErrorCode::kPeerCorrupt,
                "the account of edge '{}' is not what its consumer has written: its producer, or another process of "
                "this node, has damaged it",
                options.id);
  }
  const auto reserved = control().reserved.load(std::memory_order_acquire);
  const auto claimed = std::max({sent.published, sent.first_of_epoch, sent.closed == 0 ? 0 : sent.closed - 1});
  if (claimed > reserved && claimed - reserved > 1) {
    return Fail(ErrorCode::kPeerCorrupt,
                "the account of edge '{}' speaks of {}, of {} that were sent: its producer, or another "
                "process of this node, has damaged it",
                options.id, base::Count(claimed, "message"), reserved);
  }
  return {};
}

// With another incarnation of the producer the library lets go of files of the one before.
void InputPort::State::ForgetWhatIsUnmapped(std::uint32_t of_epoch, std::uint64_t refreshed) noexcept {
  if (std::exchange(mapped_epoch, of_epoch) == of_epoch && std::exchange(mapped_refreshed, refreshed) == refreshed)
    return;
  mapped_refreshed = refreshed;
  memory.Forget();
}

// Of the last message of a producer that was killed, its successor may give out the number again.
auto InputPort::State::CheckSequence(std::uint64_t sequence) const -> base::Status {
  const auto reserved = control().reserved.load(std::memory_order_acquire);
  if (sequence > reserved) {
    return Fail(ErrorCode::kPeerCorrupt, "edge '{}' brought a message with number {}, of {} that were sent", options.id,
                sequence, reserved);
  }
  return {};
}

void InputPort::State::Credit(std::uint64_t upto) noexcept {
  if (upto > account.acked()) account.SetAcked(upto);
  options.producer.credit().Ring();
}

// The next message from shared memory, its header copied and checked.
auto InputPort::State::Receive() -> base::Expected<std::optional<Arrival>> {
  auto received = input.Receive();
  if (!received)
    return tl::make_unexpected(std::move(received).error().While(fmt::format("receiving on edge '{}'", options.id)));
  if (!*received) return std::nullopt;
  auto& sample = **received;
  constexpr auto kUnit = message::kPayloadAlignment;  // of chunks
  if (sample.bytes.size() > (options.max_message_bytes + kUnit - 1) / kUnit * kUnit) {
    return Fail(ErrorCode::kPeerCorrupt, "edge '{}' brought a chunk of {} bytes where at most {} are allowed",
                options.id, sample.bytes.size(), options.max_message_bytes);
  }
  if (const auto* start = reinterpret_cast<const std::byte*>(sample.header);
      !memory.Contains({start, sample.bytes.data() + sample.bytes.size()})) {
    return Fail(ErrorCode::kPeerCorrupt, "edge '{}' brought a message that lies outside of its shared memory",
                options.id);
  }
  const auto header = *sample.header;
  if (auto valid = message::Validate(header, sample.bytes.size()); !valid) {
    return tl::make_unexpected(std::move(valid).error().While(fmt::format("receiving on edge '{}'", options.id)));
  }
  return Arrival{.sample = std::move(sample), .header = header};
}

auto InputPort::State::Next() -> base::Expected<std::optional<Arrival>> {
  if (pending.empty()) return Receive();
  std::optional<Arrival> first(std::move(pending.front()));
  pending.pop_front();
  return first;
}

// After a producer's restart messages of both incarnations may wait, and the library may hand out the newer ones first.
auto InputPort::State::FetchAll() -> base::Status {
  while (held->load(std::memory_order_acquire) + pending.size() < options.max_held) {
    PENSTOCK_ASSIGN(auto arrival, Receive());
    if (!arrival) break;
    pending.push_back(std::move(*arrival));
  }
  std::ranges::stable_sort(pending, {}, [](const Arrival& arrival) { return arrival.header.sequence; });
  return {};
}

auto InputPort::State::CloseGap(std::uint64_t sequence) -> base::Status {
  // Both ends were gone at a time: what only their memory held went with them.
  const auto died = std::min(sequence, control().first_of_epoch.load(std::memory_order_acquire));
  if (!MayDrop(contract().policy) && died < sequence) {
    return Fail(ErrorCode::kPeerCorrupt,
                "edge '{}' jumped from message {} to {} although it never drops: its producer broke the contract or "
                "lost its shared memory",
                options.id, next, sequence);
  }
  // Those that an earlier incarnation had taken and not handled to the end are lost now, not delivered.
  const auto unhandled = std::min(sequence, taken_before) - std::min(next, taken_before);
  const auto delivered = account.delivered() - std::min(account.delivered(), unhandled);
  account.SetLost(std::max(sequence, taken_before) - delivered);
  account.SetDelivered(delivered);
  const bool nothing_in_hands = account.acked() >= after_delivered;
  next = sequence;
  if (nothing_in_hands) Credit(next);
  return {};
}

// There is nothing to take, and messages are missing: of an incarnation of the producer that is dead, or, when the
// stream is closed, its last ones, dropped before this consumer could take them.
void InputPort::State::CountTail(const Sent& sent) {
  const auto reached = sent.closed != 0 && MayDrop(contract().policy) ? sent.closed - 1 : sent.first_of_epoch;
  if (next >= reached) return;
  static_cast<void>(CloseGap(reached));
  account.SetTaken(std::max(next, taken_before));
}

auto InputPort::State::Deliver(Arrival arrival) -> Message {
  const auto sequence = arrival.header.sequence;
  const bool again = sequence < taken_before;
  next = sequence + 1;
  after_delivered = next;
  // Before it counts as taken: who looks at the account of a dead consumer must not think that it handled this one.
  if (handles_later && account.handling_since_ns() == 0) account.SetHandling(kHandlesNothing, 0);
  if (contract().delivery == Delivery::kAtMostOnce) Credit(next);
  if (again) {
    account.CountRedelivered();
  } else {
    account.SetTaken(next);
    account.SetDelivered(account.delivered() + 1);
  }
  const auto now = MonotonicNow();
  control().queue_wait.Record(SinceNs(arrival.header.publish_time_ns, now));
  if (!handles_later && account.handling_since_ns() == 0) MarkHandling(sequence, now);
  held->fetch_add(1, std::memory_order_relaxed);
  return Message(std::unique_ptr<Message::State>(new Message::State{
      .sample = std::move(arrival.sample), .header = arrival.header, .redelivered = again, .held = held}));
}

void InputPort::State::MarkHandling(std::uint64_t sequence, std::int64_t now) noexcept {
  account.SetHandling(sequence, static_cast<std::uint64_t>(now));
}

InputPort::InputPort(std::unique_ptr<State> state) : state_(std::move(state)) {}

InputPort::~InputPort() {
  if (InForkedChild()) return;
  auto& block = state_->control();
  const bool finished = ended() && state_->account.acked() >= state_->next;
  block.handling_since_ns.store(0, std::memory_order_release);
  block.consumer_state.store(finished ? EndState::kFinished : EndState::kDetached, std::memory_order_release);
  state_->options.producer.credit().Ring();
}

auto InputPort::Open(InputPortOptions options) -> base::Expected<std::unique_ptr<InputPort>> {
  PENSTOCK_TRY(RefuseInForkedChild());
  const auto& contract = options.control.contract();
  const auto buffer = contract.policy == Policy::kLatest ? 1 : contract.depth;
  if (buffer > options.buffer) {
    return Fail(ErrorCode::kInvalidArgument, "edge '{}' has depth {} but its producer's service allows queues of {}",
                options.id, buffer, options.buffer);
  }
  const auto history = MayDrop(contract.policy) ? 0 : std::min(contract.depth, options.history);
  const iceoryx2::Service service{.root = RealmPath(options.realm_number),
                                  .name = options.service,
                                  .buffer = options.buffer,
                                  .history = options.history,
                                  .max_held = options.max_held};
  auto input = iceoryx2::Input::Open(service, buffer, history);
  if (!input)
    return tl::make_unexpected(
        std::move(input).error().While(fmt::format("opening the input of edge '{}'", options.id)));
  PENSTOCK_ASSIGN(auto memory, RealmMemory::Of(options.realm_number));
  auto state = std::make_unique<State>(std::move(options), std::move(*input), std::move(memory));
  PENSTOCK_TRY(state->Resume());
  return std::unique_ptr<InputPort>(new InputPort(std::move(state)));
}

auto InputPort::TryTake(Handling handling) -> base::Expected<std::optional<Message>> {
  PENSTOCK_TRY(RefuseInForkedChild());
  auto& state = *state_;
  state.handles_later = handling == Handling::kLater;
  for (;;) {
    const auto sent = state.SentSoFar();
    PENSTOCK_TRY(state.CheckAccount(sent));
    state.ForgetWhatIsUnmapped(state.control().epoch.load(std::memory_order_acquire), sent.refreshed);
    const auto limit = state.contract().max_held + 1;
    if (state.held->load(std::memory_order_acquire) >= limit) {
      if (sent.published <= state.next) return std::nullopt;
      return Fail(ErrorCode::kExhausted,
                  "the node holds {} of edge '{}', its limit: raise max_held ({}) or let go of old messages",
                  base::Count(state.held->load(std::memory_order_relaxed), "message"), state.options.id,
                  state.contract().max_held);
    }
    PENSTOCK_ASSIGN(auto arrival, state.Next());
    if (!arrival) {
      state.seen = sent;
      state.CountTail(sent);
      return std::nullopt;
    }
    const auto sequence = arrival->header.sequence;
    PENSTOCK_TRY(state.CheckSequence(sequence));
    if (sequence < state.next)
      continue;  // acknowledged, or in hands already: history, or a restarted producer's repetition
    if (sequence > state.next && state.epoch_known && arrival->header.epoch != state.epoch) {
      state.epoch = arrival->header.epoch;
      state.pending.push_front(std::move(*arrival));
      PENSTOCK_TRY(state.FetchAll());
      continue;
    }
    if (sequence > state.next) PENSTOCK_TRY(state.CloseGap(sequence));
    state.epoch = arrival->header.epoch;
    state.epoch_known = true;
    return state.Deliver(std::move(*arrival));
  }
}

auto InputPort::ready() const noexcept -> bool {
  const auto& state = *state_;
  if (!state.pending.empty()) return true;
  if (!state.account.intact()) return true;  // TryTake says why
  const auto& block = state.control();
  const auto published = block.published.load(std::memory_order_acquire);
  if (published <= state.next) return false;
  return published != state.seen.published || block.refreshed.load(std::memory_order_acquire) != state.seen.refreshed ||
         block.closed.load(std::memory_order_acquire) != state.seen.closed;
}

auto InputPort::ended() const noexcept -> bool {
  const auto closed = state_->control().closed.load(std::memory_order_acquire);
  return closed != 0 && state_->next + 1 >= closed && state_->pending.empty();
}

auto InputPort::owed() const noexcept -> bool { return state_->next < state_->taken_before; }

void InputPort::Acknowledge(std::uint64_t sequence) noexcept {
  if (InForkedChild()) return;
  auto& state = *state_;
  const bool last = sequence + 1 >= state.after_delivered;
  const auto now = static_cast<std::uint64_t>(MonotonicNow());
  if (const auto since = state.account.handling_since_ns(); since != 0 && now >= since)
    state.control().handler.Record(now - since);
  state.account.SetHandling(state.handles_later ? kHandlesNothing : sequence + 1,
                            last || state.handles_later ? 0 : now);
  // With nothing else in hands, messages that were lost behind this one are settled too.
  state.Credit(last ? state.next : sequence + 1);
}

void InputPort::NoteBlocked(std::uint64_t nanoseconds) noexcept {
  if (InForkedChild()) return;
  state_->control().handling_blocked_base_ns.store(nanoseconds, std::memory_order_release);
}

void InputPort::BeginHandling(std::uint64_t sequence) noexcept {
  if (!InForkedChild()) state_->MarkHandling(sequence, MonotonicNow());
}

void InputPort::SayAwaits(Awaits awaits) noexcept {
  if (InForkedChild()) return;
  auto& block = state_->control();
  // In this order here, in the other one at the runtime (session/settlement.cpp): one of the two sees the other.
  block.awaits.store(awaits, std::memory_order_seq_cst);
  if (awaits != Awaits::kNothing && block.producer_state.load(std::memory_order_seq_cst) != EndState::kAttached)
    state_->options.producer.credit().Ring();
}

auto InputPort::out_of_reach() const noexcept -> bool {
  const auto& state = *state_;
  return !MayDrop(state.contract().policy) && state.pending.empty() && state.account.intact() && ready() &&
         state.held->load(std::memory_order_acquire) < state.options.max_held;
}

// The first one that is received brings the memory of all with it, which then stays until they are taken.
auto InputPort::Reach() -> base::Status {
  PENSTOCK_TRY(RefuseInForkedChild());
  auto& state = *state_;
  const auto sent = state.SentSoFar();
  PENSTOCK_TRY(state.CheckAccount(sent));
  state.ForgetWhatIsUnmapped(state.control().epoch.load(std::memory_order_acquire), sent.refreshed);
  PENSTOCK_ASSIGN(auto arrival, state.Receive());
  if (arrival) {
    state.pending.push_back(std::move(*arrival));
  } else {
    state.seen = sent;
  }
  return {};
}

void InputPort::CountJoined(std::uint64_t sequence) noexcept {
  if (!InForkedChild()) state_->control().joined.Count(sequence);
}

auto InputPort::id() const noexcept -> const std::string& { return state_->options.id; }
auto InputPort::control() const noexcept -> ControlBlock& { return state_->options.control; }

}  // namespace penstock::transport
