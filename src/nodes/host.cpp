#include "nodes/host.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/count.h"
#include "nodes/own_origin.h"
#include "nodes/port_set.h"
#include "nodes/trace_ids.h"
#include "nodes/wire.h"
#include "transport/spin_budget.h"

namespace penstock::nodes {
namespace {
using base::ErrorCode;
using base::Fail;

constexpr int kExitRuntimeGone = 70;  // EX_SOFTWARE: nobody is left to say more to

// The message whose handler is running.
struct Current {
  std::size_t edge = 0;
  message::Header header;
  std::uint16_t attempt = 0;
  std::vector<std::uint64_t> published;  // by output
};

// Waits for the reader, who has a file to write. One that has gone has said why.
void WriteAll(const base::UniqueFd& socket, const void* bytes, std::size_t count) {
  const auto* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const auto sent = ::send(socket.get(), next, count, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return;
    next += sent;
    count -= static_cast<std::size_t>(sent);
  }
}

void WriteDown(const transport::Message& message, const base::UniqueFd& socket) {
  constexpr std::array<char, 8> kPadding{};
  const auto& header = message.header();
  const auto payload = message.payload();
  const auto metadata = message.metadata();
  WriteAll(socket, &header, sizeof(header));
  WriteAll(socket, payload.data(), payload.size());
  if (metadata.empty()) return;
  WriteAll(socket, kPadding.data(), message::MetadataOffset(payload.size()) - payload.size());
  WriteAll(socket, metadata.data(), metadata.size());
}

}  // namespace

struct Host::State {
  worker::Configure configure;
  std::unique_ptr<PortSet> ports;
  std::unique_ptr<Wire> wire;  // after the ports, which its thread uses
  transport::SpinBudget spin = transport::SpinBudget::ForThisProcess();
  TraceIds trace_ids;
  std::optional<StateKeeper> keeper;  // there after Attach
  std::optional<Current> current;
  std::array<std::vector<std::uint64_t>, kOwnKinds> published_of_itself;  // by Own and output: without a message
  Own own = Own::kProcess;
  bool anew = false;          // nothing is a repetition of what an earlier incarnation has published
  std::size_t next_edge = 0;  // where the next round starts looking

  auto Gone() const -> base::Status {
    if (wire->runtime_gone()) return Fail(ErrorCode::kCancelled, "the runtime has gone");
    return {};
  }
  auto Look() -> base::Expected<std::optional<Event>>;
  void PutDown();
  auto TakeFrom(std::size_t edge) -> base::Expected<std::optional<Event>>;
  auto TakeForLater(std::size_t edge) -> base::Expected<std::optional<transport::Message>>;
  auto OnlyEdgeInto(std::size_t port) const -> base::Expected<std::size_t>;
  auto AwaitAt(std::size_t edge, base::Deadline deadline) -> base::Status;
  void MakeCurrent(std::size_t edge, const transport::Message& message);
  auto IsDone(std::size_t edge, const transport::Message& message) -> bool;
  auto IsInQuarantine(std::size_t edge, const transport::Message& message) -> bool;
  auto Owed() const -> std::optional<std::size_t>;
  auto AllEnded() const -> bool;
  auto IsOver() const -> bool;
  auto WorthLooking() const -> bool;
  auto PublishedOf(Own kind) -> std::vector<std::uint64_t>& {
    return published_of_itself.at(static_cast<std::size_t>(kind));
  }
  auto Published() -> std::vector<std::uint64_t>&;
  auto IsRepetition(const transport::Origin& origin, const transport::OutputPort& port) const -> bool;
  auto OriginOfNext(std::size_t output) -> transport::Origin;
  void Complete(const transport::Origin& origin, message::Header& header);
  void ReportOverflow(const base::Error& error);
  auto Blocked() const -> std::uint64_t;
};

Host::Host(std::unique_ptr<State> state) : state_(std::move(state)) {}
Host::~Host() = default;

auto Host::Attach(Options options, base::Deadline deadline) -> base::Expected<std::unique_ptr<Host>> {
  base::PacketSocket control(std::move(options.control));
  PENSTOCK_TRY(worker::Send(control, worker::FromWorker(std::move(options.hello))));
  PENSTOCK_ASSIGN(auto packet, control.Receive(deadline));
  PENSTOCK_ASSIGN(auto received, worker::ParseToWorker(std::move(packet)));
  auto* configure = std::get_if<worker::Configure>(&received.message);
  if (configure == nullptr) return Fail(ErrorCode::kPeerCorrupt, "the runtime's first packet is not 'configure'");
  auto state = std::make_unique<State>();
  state->configure = std::move(*configure);
  auto ports = PortSet::Prepare(state->configure, std::move(received.fds), std::move(options.around_wait));
  if (!ports) {
    const auto& error = ports.error();
    static_cast<void>(
        worker::Send(control, worker::FromWorker(worker::Failed{.phase = "ports",
                                                                .error = std::string(base::ToString(error.code())),
                                                                .message = error.ToString(),
                                                                .traceback = {},
                                                                .edge = std::nullopt,
                                                                .sequence = std::nullopt})));
    return tl::unexpected(error);
  }
  state->ports = std::move(*ports);
  state->keeper.emplace(state->configure.node, state->ports->TakeStateMemory(), state->configure.inputs.size());
  for (auto& counts : state->published_of_itself) counts.resize(state->configure.outputs.size());
  auto on_gone = options.on_runtime_gone ? std::move(options.on_runtime_gone) : [] { ::_exit(kExitRuntimeGone); };
  PENSTOCK_ASSIGN(state->wire, Wire::Start(std::move(control), *state->ports, std::move(on_gone)));
  return std::unique_ptr<Host>(new Host(std::move(state)));
}

auto Host::configure() const noexcept -> const worker::Configure& { return state_->configure; }
auto Host::input_ports() const noexcept -> const std::vector<std::string>& { return state_->ports->input_names(); }
auto Host::output_ports() const noexcept -> const std::vector<std::string>& { return state_->ports->output_names(); }

auto Host::ReadyAndAwaitStart(const worker::Ready& ready) -> base::Status {
  PENSTOCK_TRY(state_->wire->Say(ready));
  return state_->wire->AwaitStart();
}

// --- inputs
// -------------------------------------------------------------------------------------------------------------

void Host::State::PutDown() {
  current.reset();
  own = Own::kProcess;
}

auto Host::Next(base::Deadline deadline) -> base::Expected<Event> {
  auto& state = *state_;
  state.PutDown();
  for (;;) {
    PENSTOCK_TRY(state.Gone());
    PENSTOCK_ASSIGN(auto event, state.Look());
    if (event) return std::move(*event);
    if (!transport::WaitAt(state.ports->bell().arrivals(), deadline, state.spin,
                           [&state] { return state.WorthLooking(); })) {
      return Fail(ErrorCode::kDeadline, "no message arrived at node '{}' in time", state.configure.node);
    }
  }
}

auto Host::NextUntil(base::Deadline::Clock::time_point time) -> base::Expected<Event> {
  auto& state = *state_;
  state.PutDown();
  for (;;) {
    PENSTOCK_TRY(state.Gone());
    PENSTOCK_ASSIGN(auto event, state.Look());
    if (event) return std::move(*event);
    const auto deadline = state.Owed() ? base::Deadline::Never() : base::Deadline::At(time);
    if (!transport::WaitAt(state.ports->bell().arrivals(), deadline, state.spin,
                           [&state] { return state.WorthLooking(); })) {
      return Event{.kind = Event::Kind::kTime, .input = 0, .message = std::nullopt};
    }
  }
}

auto Host::TryNext() -> base::Expected<std::optional<Event>> {
  state_->PutDown();
  PENSTOCK_TRY(state_->Gone());
  return state_->Look();
}

auto Host::BeginTick() -> bool {
  if (state_->Owed() || state_->IsOver()) return false;
  state_->PutDown();
  state_->own = Own::kTick;
  return true;
}

void Host::BeginFinish() {
  state_->PutDown();
  state_->own = Own::kFinish;
}

auto Host::arrivals() const noexcept -> std::uint32_t {
  return state_->ports->bell().arrivals().word.load(std::memory_order_seq_cst);
}

void Host::AwaitArrival(std::uint32_t seen) const noexcept {
  auto& bell = state_->ports->bell().arrivals();
  bell.parked.store(1, std::memory_order_seq_cst);
  if (bell.word.load(std::memory_order_seq_cst) == seen) transport::SleepAt(bell, seen, base::Deadline::Never());
  bell.parked.store(0, std::memory_order_relaxed);
}

void Host::RingArrivals() const noexcept { state_->ports->bell().arrivals().Wake(); }

auto Host::in_hand() const noexcept -> std::optional<InHand> {
  const auto& current = state_->current;
  if (!current) return std::nullopt;
  return InHand{.input = state_->ports->inputs()[current->edge]->port, .header = &current->header};
}

// One round over all edges, starting behind the one that was served last. What an earlier incarnation had in hands
// comes first: once anything else is published, nobody knows any more what it had published of that. Nullopt: nothing
// is there, so that whoever waits for a ring misses nothing.
auto Host::State::Look() -> base::Expected<std::optional<Event>> {
  const auto count = ports->inputs().size();
  while (const auto owed = Owed()) {
    PENSTOCK_ASSIGN(auto event, TakeFrom(*owed));
    if (event || Owed() == owed) return event;  // else it was done already, or will not come
  }
  for (std::size_t i = 0; i < count; ++i) {
    PENSTOCK_ASSIGN(auto event, TakeFrom((next_edge + i) % count));
    if (event) return event;
  }
  if (count == 0)
    return wire->stop_requested()
               ? std::optional(Event{.kind = Event::Kind::kStop, .input = 0, .message = std::nullopt})
               : std::nullopt;
  if (AllEnded()) return Event{.kind = Event::Kind::kAllEnded, .input = 0, .message = std::nullopt};
  return std::nullopt;
}

auto Host::State::TakeFrom(std::size_t index) -> base::Expected<std::optional<Event>> {
  auto& edge = *ports->inputs()[index];
  if (edge.ended) return std::nullopt;
  // Read before looking: what was published before the producer was given up is still delivered.
  const bool given_up = edge.given_up.load(std::memory_order_acquire);
  PENSTOCK_ASSIGN(auto message, edge.input->TryTake());
  while (message && IsDone(index, *message)) {
    edge.input->Acknowledge(message->header().sequence);
    message.reset();  // before the next one is asked for
    PENSTOCK_ASSIGN(message, edge.input->TryTake());
  }
  if (message) {
    next_edge = index + 1;
    edge.input->NoteBlocked(Blocked());
    MakeCurrent(index, *message);
    return Event{.kind = Event::Kind::kMessage, .input = edge.port, .message = std::move(message)};
  }
  if (!edge.input->ended() && !given_up) return std::nullopt;
  edge.ended = true;
  for (const auto& other : ports->inputs()) {
    if (other->port == edge.port && !other->ended) return std::nullopt;
  }
  return Event{.kind = Event::Kind::kPortEnded, .input = edge.port, .message = std::nullopt};
}

void Host::State::MakeCurrent(std::size_t index, const transport::Message& message) {
  current = Current{.edge = index,
                    .header = message.header(),
                    .attempt = message.redelivered() ? static_cast<std::uint16_t>(configure.attempt) : std::uint16_t{0},
                    .published = std::vector<std::uint64_t>(ports->outputs().size(), 0)};
}

// Nothing is left to do for it but to acknowledge it.
auto Host::State::IsDone(std::size_t index, const transport::Message& message) -> bool {
  return keeper->Includes({.edge = index, .sequence = message.header().sequence}) || IsInQuarantine(index, message);
}

// True for the message that the runtime wants written down instead of handled, which then is.
auto Host::State::IsInQuarantine(std::size_t index, const transport::Message& message) -> bool {
  auto& socket = ports->quarantine();
  if (!socket || index != configure.quarantine->input) return false;
  const auto sequence = message.header().sequence;
  if (sequence < configure.quarantine->sequence) return false;
  const bool wanted = sequence == configure.quarantine->sequence;
  if (wanted) WriteDown(message, socket);
  socket.reset();
  return wanted;
}

auto Host::State::Owed() const -> std::optional<std::size_t> {
  for (std::size_t i = 0; i < ports->inputs().size(); ++i) {
    const auto& edge = *ports->inputs()[i];
    if (!edge.ended && edge.input->owed()) return i;
  }
  return std::nullopt;
}

auto Host::State::AllEnded() const -> bool {
  for (const auto& edge : ports->inputs()) {
    if (!edge->ended) return false;
  }
  return true;
}

// What Next says next, or soon: unlike AllEnded, before anybody has looked.
auto Host::State::IsOver() const -> bool {
  const auto& inputs = ports->inputs();
  if (inputs.empty()) return wire->stop_requested();
  return std::ranges::all_of(inputs, [](const auto& edge) { return edge->ended || edge->input->ended(); });
}

auto Host::State::WorthLooking() const -> bool {
  if (wire->runtime_gone()) return true;
  const auto& inputs = ports->inputs();
  if (inputs.empty()) return wire->stop_requested();
  const auto owed = Owed();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& edge = inputs[i];
    if (edge->ended || i != owed.value_or(i)) continue;
    if (edge->input->ready() || edge->input->ended() || edge->given_up.load(std::memory_order_acquire)) return true;
  }
  return AllEnded();
}

void Host::Acknowledge(std::uint64_t overhead_cpu_ns) {
  auto& state = *state_;
  if (!state.current) return;
  auto& input = *state.ports->inputs()[state.current->edge]->input;
  if (state.configure.measure_cpu) input.control()->overhead_cpu.Record(overhead_cpu_ns);
  input.Acknowledge(state.current->header.sequence);
  input.NoteBlocked(state.Blocked());
  state.current.reset();
}

// --- joined inputs
// ------------------------------------------------------------------------------------------------------------

auto Host::State::OnlyEdgeInto(std::size_t port) const -> base::Expected<std::size_t> {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < ports->inputs().size(); ++i) {
    if (ports->inputs()[i]->port != port) continue;
    if (found) return Fail(ErrorCode::kInvalidArgument, "several edges lead into a port that is joined with others");
    found = i;
  }
  if (!found) return Fail(ErrorCode::kInvalidArgument, "there is no input {}", port);
  return *found;
}

auto Host::State::TakeForLater(std::size_t index) -> base::Expected<std::optional<transport::Message>> {
  auto& edge = *ports->inputs()[index];
  // As in TakeFrom.
  const bool given_up = edge.given_up.load(std::memory_order_acquire);
  PENSTOCK_ASSIGN(auto message, edge.input->TryTake(transport::Handling::kLater));
  if (message && IsDone(index, *message)) {
    edge.input->Acknowledge(message->header().sequence);
    return std::nullopt;
  }
  if (!message && (edge.input->ended() || given_up)) edge.ended = true;
  return message;
}

auto Host::Take(std::size_t input, base::Deadline deadline) -> base::Expected<std::optional<transport::Message>> {
  auto& state = *state_;
  state.current.reset();
  PENSTOCK_ASSIGN(const auto index, state.OnlyEdgeInto(input));
  const auto& edge = *state.ports->inputs()[index];
  while (!edge.ended) {
    PENSTOCK_TRY(state.Gone());
    PENSTOCK_ASSIGN(auto message, state.TakeForLater(index));
    if (message) return message;
    if (!edge.ended) PENSTOCK_TRY(state.AwaitAt(index, deadline));
  }
  return std::nullopt;
}

// Until it is worth looking at this edge. What waits at the others meanwhile must outlive their producers: one that is
// replaced does not wait for it to be taken, when that could be for ever.
auto Host::State::AwaitAt(std::size_t index, base::Deadline deadline) -> base::Status {
  using transport::Awaits;
  const auto& inputs = ports->inputs();
  const auto& awaited = *inputs[index];
  const auto out_of_reach = [&] {
    return std::ranges::any_of(inputs, [&](const auto& edge) { return !edge->ended && edge->input->out_of_reach(); });
  };
  const auto worth_looking = [&] {
    return wire->runtime_gone() || awaited.input->ready() || awaited.input->ended() ||
           awaited.given_up.load(std::memory_order_acquire) || out_of_reach();
  };
  for (const auto& edge : inputs) {
    if (!edge->ended && edge->input->out_of_reach()) PENSTOCK_TRY(edge->input->Reach());
  }
  for (const auto& edge : inputs) {
    edge->input->SayAwaits(edge.get() == &awaited ? Awaits::kThisInput : Awaits::kAnotherInput);
  }
  const bool arrived = transport::WaitAt(ports->bell().arrivals(), deadline, spin, worth_looking);
  for (const auto& edge : inputs) edge->input->SayAwaits(Awaits::kNothing);
  if (!arrived) return Fail(ErrorCode::kDeadline, "no message arrived at node '{}' in time", configure.node);
  return {};
}

void Host::Begin(const std::vector<Taken>& set) {
  auto& state = *state_;
  for (const auto& taken : set) {
    const auto index = state.OnlyEdgeInto(taken.input);
    if (!index) continue;  // nothing could be taken from it
    auto& input = *state.ports->inputs()[*index]->input;
    const auto sequence = taken.message->header().sequence;
    input.CountJoined(sequence);
    if (taken.message != set.front().message) continue;
    state.MakeCurrent(*index, *taken.message);
    input.BeginHandling(sequence);
    input.NoteBlocked(state.Blocked());
  }
}

void Host::Release(std::size_t input, std::uint64_t sequence) {
  if (const auto index = state_->OnlyEdgeInto(input)) state_->ports->inputs()[*index]->input->Acknowledge(sequence);
}

auto Host::stop_requested() const noexcept -> bool {
  return state_->wire->stop_requested() || state_->wire->runtime_gone();
}

auto Host::SleepUntil(base::Deadline::Clock::time_point time) -> bool {
  return !transport::WaitAt(state_->ports->bell().arrivals(), base::Deadline::At(time), 0,
                            [this] { return stop_requested(); });
}

auto Host::AwaitReadable(int descriptor) -> base::Expected<bool> {
  std::array<pollfd, 2> awaited{pollfd{.fd = descriptor, .events = POLLIN, .revents = 0},
                                pollfd{.fd = state_->wire->stopped().get(), .events = POLLIN, .revents = 0}};
  while (!stop_requested()) {
    const auto ready = ::poll(awaited.data(), awaited.size(), -1);
    if (ready < 0 && errno != EINTR) return base::SystemError("wait for a descriptor");
    if (ready > 0 && awaited[0].revents != 0) return true;
  }
  return false;
}

// --- state
// --------------------------------------------------------------------------------------------------------------

auto Host::RestoreState() -> base::Expected<std::optional<transport::KeptState>> {
  PENSTOCK_ASSIGN(auto kept, state_->keeper->Restore());
  if (kept) state_->PublishedOf(Own::kProcess) = kept->outputs;
  return kept;
}

auto Host::KeepState(std::uint32_t format, std::string_view bytes) -> base::Status {
  auto& state = *state_;
  std::optional<StateKeeper::Handled> message;
  if (state.current) message = {.edge = state.current->edge, .sequence = state.current->header.sequence};
  return state.keeper->Keep(message, state.PublishedOf(Own::kProcess), format, bytes);
}

void Host::PublishAnew() { state_->anew = true; }

auto Host::CheckReplay() const -> base::Status {
  auto& state = *state_;
  if (!state.configure.inputs.empty() || state.anew || ended_before() || stop_requested()) return {};
  const auto& published = state.PublishedOf(Own::kProcess);
  for (std::size_t i = 0; i < published.size(); ++i) {
    const auto& last = state.ports->outputs()[i]->inherited();
    if (!last || !IsOf(*last, Own::kProcess) || published[i] > last->sequence) continue;
    return Fail(ErrorCode::kConflict,
                "output '{}' had sent {} before the node was restarted, and has ended after {} now: a source that is "
                "replayed must give the same messages each time; one that gives new ones says `replayable = False`",
                output_ports()[i], base::Count(last->sequence + 1, "message"), published[i]);
  }
  return {};
}

auto Host::ended_before() const noexcept -> bool { return state_->ports->ended_before(); }

// --- outputs
// ------------------------------------------------------------------------------------------------------------

auto Host::Borrow(std::size_t output, std::uint64_t payload_bytes, std::uint32_t metadata_bytes,
                  base::Deadline deadline) -> base::Expected<transport::Loan> {
  // Before the sum below can overflow.
  if (const auto limit = state_->configure.outputs.at(output).max_message_bytes; payload_bytes > limit) {
    return Fail(ErrorCode::kInvalidArgument,
                "a message of {} bytes is larger than output '{}' allows: raise max_message_bytes ({})", payload_bytes,
                output_ports().at(output), limit);
  }
  PENSTOCK_ASSIGN(auto loan, state_->ports->outputs().at(output)->Borrow(
                                 message::ChunkBytes(payload_bytes, metadata_bytes), deadline));
  loan.header().payload_bytes = payload_bytes;
  loan.header().metadata_bytes = metadata_bytes;
  return loan;
}

auto Host::Publish(std::size_t output, transport::Loan loan) -> base::Status {
  auto& port = *state_->ports->outputs().at(output);
  const auto origin = state_->OriginOfNext(output);
  if (state_->IsRepetition(origin, port)) {
    port.CountSuppressed();
  } else {
    // What is not the same must not have its number.
    const auto& half_sent = port.half_sent();
    if (half_sent && (state_->anew || IsOf(*half_sent, Own::kTick) || *half_sent != origin)) port.SkipHalfSent();
    state_->Complete(origin, loan.header());
    const auto published = port.Publish(std::move(loan), base::Deadline::Never());
    if (!published) {
      // Whatever the node's code makes of it.
      if (published.error().code() == ErrorCode::kOverflow) state_->ReportOverflow(published.error());
      return tl::unexpected(published.error());
    }
  }
  ++state_->Published().at(output);
  return {};
}

auto Host::was_published(std::size_t output) const -> bool {
  return state_->IsRepetition(state_->OriginOfNext(output), *state_->ports->outputs().at(output));
}

auto Host::State::Published() -> std::vector<std::uint64_t>& { return current ? current->published : PublishedOf(own); }

auto Host::State::IsRepetition(const transport::Origin& origin, const transport::OutputPort& port) const -> bool {
  return !anew && WasPublished(origin, port.inherited());
}

auto Host::State::OriginOfNext(std::size_t output) -> transport::Origin {
  const auto count = Published().at(output);
  if (!current) return {.index = static_cast<std::uint32_t>(own), .sequence = count};
  return {.input = static_cast<std::uint32_t>(current->edge),
          .index = static_cast<std::uint32_t>(count),
          .sequence = current->header.sequence};
}

void Host::State::Complete(const transport::Origin& origin, message::Header& header) {
  header.span_id = trace_ids.NewSpan();
  header.origin_index = origin.index;
  header.origin_sequence = origin.sequence;
  if (!current) {
    header.flags &= static_cast<std::uint8_t>(~message::kFlagHasOrigin);
    header.trace_id = trace_ids.NewTrace();
    return;
  }
  header.flags |= message::kFlagHasOrigin;
  header.origin_input = origin.input;
  header.attempt = current->attempt;
  header.trace_id = current->header.trace_id;
  if ((header.flags & message::kFlagHasMediaTime) == 0 && (current->header.flags & message::kFlagHasMediaTime) != 0) {
    header.media_time_ns = current->header.media_time_ns;
    header.flags |= message::kFlagHasMediaTime;
  }
}

auto Host::State::Blocked() const -> std::uint64_t {
  std::uint64_t blocked = 0;
  for (const auto& output : ports->outputs()) blocked += output->blocked_ns();
  return blocked;
}

void Host::State::ReportOverflow(const base::Error& error) {
  wire->SayLast(worker::Failed{.phase = std::string(worker::kOverflowPhase),
                               .error = {},
                               .message = error.message(),
                               .traceback = {},
                               .edge = std::nullopt,
                               .sequence = std::nullopt});
}

auto Host::Drain() -> base::Status {
  state_->PutDown();
  for (const auto& output : state_->ports->outputs()) output->Close();
  for (const auto& output : state_->ports->outputs()) PENSTOCK_TRY(output->Drain(base::Deadline::Never()));
  return {};
}

void Host::HangUp() const noexcept { state_->wire->HangUp(); }
void Host::ReportFinished() { state_->wire->SayLast(worker::Finished{}); }
void Host::ReportFailure(const worker::Failed& failed) { state_->wire->SayLast(failed); }

}  // namespace penstock::nodes
