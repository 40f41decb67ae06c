// A worker's own end of a session: the control channel on a thread of its own ("penstock-wire"), and the node's ports.
//
// Used alike by the native worker and by the Python extension. The node's thread calls everything here; the wire thread
// opens and connects ports while the node is still being imported and set up, refreshes outputs when peers attach, and
// interrupts waits when the runtime says stop or is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "nodes/memory_requests.h"
#include "nodes/state_keeper.h"
#include "transport/input_port.h"
#include "transport/output_port.h"
#include "worker/protocol.h"

namespace penstock::nodes {

/// What a node's thread waits for.
struct Event {
  enum class Kind {
    kMessage,
    kPortEnded,  // every edge into the port has ended
    kAllEnded,   // every port has: time for `finish`
    kStop,       // a source was asked to stop
    kTime,       // the time has come that NextUntil was given
  };
  Kind kind = Kind::kAllEnded;
  std::size_t input = 0;  // index into Host::input_ports for kMessage and kPortEnded
  std::optional<transport::Message> message;
};

class Host final {
 public:
  struct Options {
    base::UniqueFd control;  // the worker protocol's socket (descriptor 3)
    worker::Hello hello;
    /// Called on the wire thread when the runtime has gone: the worker must end at once (default: _exit(70)).
    std::function<void()> on_runtime_gone;
    /// Runs what it is given, a wait of the node's thread inside Borrow, in the way that waits want: Python gives up
    /// its lock around it. Default: calls it. (The other calls that wait are made without that lock; Borrow waits
    /// seldom.)
    MemoryRequests::AroundWait around_wait;
  };

  /// Says hello, waits for `configure`, starts the wire thread, which opens the ports in step with the runtime.
  static auto Attach(Options options, base::Deadline deadline) -> base::Expected<std::unique_ptr<Host>>;
  Host(const Host&) = delete;
  auto operator=(const Host&) -> Host& = delete;
  ~Host();

  auto configure() const noexcept -> const worker::Configure&;
  /// Names of the ports; an input port may have several edges.
  auto input_ports() const noexcept -> const std::vector<std::string>&;
  auto output_ports() const noexcept -> const std::vector<std::string>&;

  /// Of a node whose worker replaces one that failed: what that had kept of its state. Messages that the state includes
  /// will not come again. Before the first message. Errors: kPeerCorrupt.
  auto RestoreState() -> base::Expected<std::optional<transport::KeptState>>;
  /// Keeps what a successor is to begin with: the state after everything that was handled and published so far, the
  /// current message included, which is to be acknowledged next. Errors as StateKeeper::Keep.
  auto KeepState(std::uint32_t format, std::string_view bytes) -> base::Status;
  /// Sources, before the first message: what is published from now on is new, whatever an earlier incarnation of the
  /// node had published. (Otherwise what is published first is taken for a repetition of that.)
  void PublishAnew();
  /// Sources, after `start`: whether an earlier incarnation of the node had published everything, so that nothing is
  /// left but to Drain.
  auto ended_before() const noexcept -> bool;
  /// Sources, at the end of their stream, before Drain: kConflict when less was published than an earlier incarnation
  /// of the node had, unless it was stopped.
  auto CheckReplay() const -> base::Status;
  /// Whether an earlier incarnation has published already what would be published next at `output`.
  auto was_published(std::size_t output) const -> bool;

  /// The node is set up. Then waits for `start`.
  auto ReadyAndAwaitStart(const worker::Ready& ready) -> base::Status;

  /// The next event of any input, fair among edges. Takes (at_most_once: acknowledges) the message and makes it the
  /// current one: what is published from now on inherits its origin, trace and (unless given) media time. Errors:
  /// kCancelled when the runtime is gone, kDeadline, kPeerCorrupt, kExhausted (too many held).
  auto Next(base::Deadline deadline) -> base::Expected<Event>;
  /// As Next, or kTime when `time` comes first: not, however late it is, while an earlier incarnation's message is
  /// still to come again (see BeginTick).
  auto NextUntil(base::Deadline::Clock::time_point time) -> base::Expected<Event>;
  /// As Next, without waiting; nullopt when there is nothing now.
  auto TryNext() -> base::Expected<std::optional<Event>>;
  /// What is published until the next event has no message for its origin, and a successor of this node does not give
  /// it again: what a timer gives. False, and nothing is begun, when everything has ended, and while a message that an
  /// earlier incarnation had in hands is still to come: once anything else is published, nobody knows any more what it
  /// had published of that.
  auto BeginTick() -> bool;

  /// What is published from now on is what `finish` gives.
  void BeginFinish();

  /// For a thread that waits in place of the node's: the word that changes with every ring for it. Taken before a look
  /// (TryNext) that finds nothing, what arrives after that look has changed it. Any thread.
  auto arrivals() const noexcept -> std::uint32_t;
  /// Sleeps while the word is `seen`; may return for nothing. One thread at a time waits here or in the other calls
  /// that wait for messages. Any thread.
  void AwaitArrival(std::uint32_t seen) const noexcept;
  /// Ends AwaitArrival. Any thread.
  void RingArrivals() const noexcept;

  struct InHand {
    std::size_t input = 0;  // index into input_ports
    const message::Header* header = nullptr;
  };
  /// The current message, until the next event.
  auto in_hand() const noexcept -> std::optional<InHand>;

  /// The current message's handler is done and its outputs are published: acknowledges it. `overhead_cpu_ns` is
  /// recorded when configure().measure_cpu.
  void Acknowledge(std::uint64_t overhead_cpu_ns = 0);

  // For a node that joins its inputs, in place of Next (python/penstock/_joining.py). Each of its ports has one edge.

  /// The next message of this port, taken for later; nullopt when the port has ended. Errors as Next.
  auto Take(std::size_t input, base::Deadline deadline) -> base::Expected<std::optional<transport::Message>>;
  struct Taken {
    std::size_t input = 0;
    const transport::Message* message = nullptr;
  };
  /// These, which were taken, are handled together now. The first is the current one, which Acknowledge is about.
  void Begin(const std::vector<Taken>& set);
  /// Acknowledges a message that was taken and is not the current one, and all before it on its port.
  void Release(std::size_t input, std::uint64_t sequence);

  /// Sources: true once `stop` came.
  auto stop_requested() const noexcept -> bool;
  /// Sources: sleeps until `time` unless stopped first; false when stopped.
  auto SleepUntil(base::Deadline::Clock::time_point time) -> bool;
  /// Sources: waits until `descriptor` can be read (or has an error to be read); false when stopped first.
  auto AwaitReadable(int descriptor) -> base::Expected<bool>;

  /// Errors as OutputPort::Borrow.
  auto Borrow(std::size_t output, std::uint64_t payload_bytes, std::uint32_t metadata_bytes,
              base::Deadline deadline = base::Deadline::Never()) -> base::Expected<transport::Loan>;
  /// Completes the header (sequence, epoch, origin, trace, publish time; media time of the current message unless
  /// kFlagHasMediaTime is set) and publishes, waiting for credit. What an earlier incarnation of this node has
  /// published while handling the same message is counted and not published again. Errors as OutputPort::Publish.
  auto Publish(std::size_t output, transport::Loan loan) -> base::Status;

  /// Ends the output streams and waits until consumers have everything. Call after `finish`, before teardown.
  auto Drain() -> base::Status;
  /// As if the runtime had gone: waits end with kCancelled. Any thread.
  void HangUp() const noexcept;
  /// Last words. After either the worker exits (0 or 1).
  void ReportFinished();
  void ReportFailure(const worker::Failed& failed);

 private:
  struct State;
  explicit Host(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace penstock::nodes
