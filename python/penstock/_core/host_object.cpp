#include "host_object.h"

#include <unistd.h>

#include <atomic>
#include <cstring>
#include <limits>
#include <memory>
#include <thread>

#include "arguments.h"
#include "fork_guard.h"
#include "loan.h"
#include "message_view.h"
#include "nodes/host.h"

namespace penstock::core {
namespace {

PyTypeObject* type = nullptr;

struct Content {
  std::unique_ptr<nodes::Host> host;
  std::thread::id owner;
  std::size_t children = 0;
  bool closing = false;  // the host goes with the last child
  bool closed = false;
};

// Whether this process has sessions beside the one whose runtime has gone.
std::atomic<bool> outlives_runtimes = false;
constexpr int kExitRuntimeGone = 70;

struct HostObject {
  PyObject_HEAD Content content;
};

auto Self(PyObject* object) -> Content& { return reinterpret_cast<HostObject*>(object)->content; }

// The host, or null with an exception set when this process or thread may not use it.
auto Usable(PyObject* object) -> nodes::Host* {
  if (!CheckNotForked()) return nullptr;
  auto& self = Self(object);
  if (self.owner != std::this_thread::get_id()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "a node's ports belong to the thread that runs its handlers. Hand results of other threads over "
                    "(queue.Queue) and emit them in the handler");
    return nullptr;
  }
  if (!self.host) PyErr_SetString(PyExc_RuntimeError, "this worker's ports are closed");
  return self.host.get();
}

// It joins the wire's thread, which may be waiting for a runtime that does not read: other threads go on meanwhile.
void CloseHost(Content& self) {
  auto host = std::move(self.host);
  if (host) WithoutGil([&] { host.reset(); });
  self.closed = true;
}

auto NoneOr(const base::Status& status) -> PyObject* {
  if (!status) return Raise(status.error());
  Py_RETURN_NONE;
}

void Dealloc(PyObject* object) {
  if (!Forked()) {
    CloseHost(Self(object));
    std::destroy_at(&Self(object));
  }
  Free(object);
}

auto StringList(const std::vector<std::string>& strings) -> PyObject* {
  Ref list(PyList_New(0));
  for (const auto& text : strings) {
    const Ref item(PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
    if (!list || !item || PyList_Append(list.get(), item.get()) != 0) return nullptr;
  }
  return list.release();
}

// {port: [edge, …]} as Python lists of pairs, in the order of the configuration.
template <class Specs, class Edges>
auto EdgeList(const Specs& specs, Edges&& edges_of) -> PyObject* {
  Ref list(PyList_New(0));
  for (const auto& spec : specs) {
    const Ref item(Py_BuildValue("sN", spec.port.c_str(), StringList(edges_of(spec))));
    if (!list || !item || PyList_Append(list.get(), item.get()) != 0) return nullptr;
  }
  return list.release();
}

auto IntOrNone(const std::optional<std::int64_t>& value) -> PyObject* {
  if (value) return PyLong_FromLongLong(*value);
  Py_RETURN_NONE;
}

// Of time.monotonic_ns(), which is CLOCK_MONOTONIC as steady_clock is. nullopt with an exception set.
auto ToTime(PyObject* nanoseconds) -> std::optional<base::Deadline::Clock::time_point> {
  const auto value = PyLong_AsLongLong(nanoseconds);
  if (value == -1 && PyErr_Occurred() != nullptr) return std::nullopt;
  return base::Deadline::Clock::time_point{std::chrono::nanoseconds(value)};
}

auto Configuration(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr) return nullptr;
  const auto& c = host->configure();
  return Py_BuildValue(
      "{s:s,s:s,s:s,s:s,s:s,s:I,s:O,s:O,s:N,s:N,s:N,s:N,s:N,s:N}", "session", c.session.c_str(), "node", c.node.c_str(),
      "node_type", c.node_type.c_str(), "params", c.params_json.c_str(), "code", c.code.c_str(), "attempt", c.attempt,
      "measure_cpu", c.measure_cpu ? Py_True : Py_False, "restarts", c.restart ? Py_True : Py_False,
      "join_tolerance_ns", IntOrNone(c.join_tolerance_ns), "modules", StringList(c.modules), "input_ports",
      StringList(host->input_ports()), "output_ports", StringList(host->output_ports()), "input_edges",
      EdgeList(c.inputs, [](const worker::InputSpec& spec) { return std::vector<std::string>{spec.edge.edge}; }),
      "output_edges", EdgeList(c.outputs, [](const worker::OutputSpec& spec) {
        std::vector<std::string> ids;
        for (const auto& edge : spec.edges) ids.push_back(edge.edge);
        return ids;
      }));
}

// None, or what was kept with its format.
auto RestoreState(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr) return nullptr;
  const auto kept = host->RestoreState();
  if (!kept) return Raise(kept.error());
  if (!*kept) Py_RETURN_NONE;
  const auto& bytes = (*kept)->bytes;
  return Py_BuildValue("Iy#", (*kept)->format, bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
}

// keep_state(format, bytes)
auto KeepState(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("keep_state", count, 2)) return nullptr;
  const auto format = ToUnsigned(args[0], "format", std::numeric_limits<std::uint32_t>::max());
  if (!format) return nullptr;
  Bytes bytes;
  if (!bytes.Acquire(args[1])) return nullptr;
  return NoneOr(host->KeepState(static_cast<std::uint32_t>(*format), bytes.view()));
}

auto PublishAnew(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr) return nullptr;
  host->PublishAnew();
  Py_RETURN_NONE;
}

auto CheckReplay(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  return host == nullptr ? nullptr : NoneOr(host->CheckReplay());
}

auto EndedBefore(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  return host == nullptr ? nullptr : PyBool_FromLong(host->ended_before() ? 1 : 0);
}

auto Ready(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("ready", count, 2)) return nullptr;
  auto inputs = ToStringMap(args[0], "inputs");
  if (!inputs) return nullptr;
  auto outputs = ToStringMap(args[1], "outputs");
  if (!outputs) return nullptr;
  const worker::Ready ready{std::move(*inputs), std::move(*outputs)};
  return NoneOr(WithoutGil([&] { return host->ReadyAndAwaitStart(ready); }));
}

auto EventTuple(PyObject* object, nodes::Event& event) -> PyObject* {
  PyObject* view = Py_None;
  if (event.kind == nodes::Event::Kind::kMessage) {
    view = NewMessageView(object, event.input, std::move(*event.message));
    if (view == nullptr) return nullptr;
  } else {
    Py_INCREF(view);
  }
  return Py_BuildValue("inN", static_cast<int>(event.kind), static_cast<Py_ssize_t>(event.input), view);
}

auto Next(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr) return nullptr;
  auto event = WithoutGil([&] { return host->Next(base::Deadline::Never()); });
  return event ? EventTuple(object, *event) : Raise(event.error());
}

auto NextUntil(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("next_until", count, 1)) return nullptr;
  const auto time = ToTime(args[0]);
  if (!time) return nullptr;
  auto event = WithoutGil([&] { return host->NextUntil(*time); });
  return event ? EventTuple(object, *event) : Raise(event.error());
}

// Without the lock, as it may have a message to write down for the quarantine.
auto TryNext(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr) return nullptr;
  auto event = WithoutGil([&] { return host->TryNext(); });
  if (!event) return Raise(event.error());
  if (!*event) Py_RETURN_NONE;
  return EventTuple(object, **event);
}

auto BeginTick(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  return host == nullptr ? nullptr : PyBool_FromLong(host->BeginTick() ? 1 : 0);
}

auto BeginFinish(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr) return nullptr;
  host->BeginFinish();
  Py_RETURN_NONE;
}

auto Arrivals(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  return host == nullptr ? nullptr : PyLong_FromUnsignedLong(host->arrivals());
}

// Any thread. The host counts the wait as a child, so that it closes after it only.
auto AwaitArrival(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  if (!CheckNotForked() || !CheckCount("await_arrival", count, 1)) return nullptr;
  const auto seen = ToUnsigned(args[0], "seen", std::numeric_limits<std::uint32_t>::max());
  if (!seen) return nullptr;
  const auto* host = Self(object).host.get();
  if (host == nullptr) Py_RETURN_NONE;
  AddChild(object);
  WithoutGil([&] { host->AwaitArrival(static_cast<std::uint32_t>(*seen)); });
  ReleaseChild(object);
  Py_RETURN_NONE;
}

// Any thread.
auto RingArrivals(PyObject* object, PyObject*) -> PyObject* {
  if (!CheckNotForked()) return nullptr;
  if (const auto& self = Self(object); self.host) self.host->RingArrivals();
  Py_RETURN_NONE;
}

// (input, sequence, trace id) of the message that is being handled, or None.
auto InHand(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr) return nullptr;
  const auto message = host->in_hand();
  if (!message) Py_RETURN_NONE;
  const auto& header = *message->header;
  return Py_BuildValue("nKN", static_cast<Py_ssize_t>(message->input), static_cast<unsigned long long>(header.sequence),
                       HexOf(header.trace_id));
}

auto Take(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("take", count, 1)) return nullptr;
  const auto input = ToUnsigned(args[0], "input", 1U << 20U);
  if (!input) return nullptr;
  auto message = WithoutGil([&] { return host->Take(static_cast<std::size_t>(*input), base::Deadline::Never()); });
  if (!message) return Raise(message.error());
  if (!*message) Py_RETURN_NONE;
  return NewMessageView(object, static_cast<std::size_t>(*input), std::move(**message));
}

auto Begin(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("begin", count, 1)) return nullptr;
  const auto size = PyList_Size(args[0]);
  if (size < 0) return nullptr;
  std::vector<nodes::Host::Taken> set;
  for (Py_ssize_t i = 0; i < size; ++i) {
    const auto view = ViewOf(PyList_GetItem(args[0], i));
    if (view.message == nullptr) {
      PyErr_SetString(PyExc_TypeError, "begin takes the views that `take` gave");
      return nullptr;
    }
    set.push_back({view.input, view.message});
  }
  host->Begin(set);
  Py_RETURN_NONE;
}

auto Release(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("release", count, 2)) return nullptr;
  const auto input = ToUnsigned(args[0], "input", 1U << 20U);
  if (!input) return nullptr;
  const auto sequence = ToUnsigned(args[1], "sequence", std::numeric_limits<std::int64_t>::max());
  if (!sequence) return nullptr;
  host->Release(static_cast<std::size_t>(*input), *sequence);
  Py_RETURN_NONE;
}

auto Acknowledge(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("acknowledge", count, 1)) return nullptr;
  const auto overhead = ToUnsigned(args[0], "overhead_ns", std::numeric_limits<std::int64_t>::max());
  if (!overhead) return nullptr;
  host->Acknowledge(*overhead);
  Py_RETURN_NONE;
}

auto BorrowLoan(nodes::Host& host, const LoanShape& shape) -> base::Expected<transport::Loan> {
  if (shape.output >= host.output_ports().size()) {
    return base::Fail(base::ErrorCode::kInvalidArgument, "there is no output {}, this node has {}", shape.output,
                      host.output_ports().size());
  }
  return host.Borrow(shape.output, shape.payload_bytes, shape.metadata_bytes);
}

auto ParseLoanShape(PyObject* output, PyObject* payload, PyObject* metadata) -> std::optional<LoanShape> {
  const auto index = ToUnsigned(output, "output", 1U << 20U);
  if (!index) return std::nullopt;
  const auto payload_bytes = ToUnsigned(payload, "payload_bytes", std::numeric_limits<std::int64_t>::max());
  if (!payload_bytes) return std::nullopt;
  const auto metadata_bytes = ToUnsigned(metadata, "metadata_bytes", std::numeric_limits<std::uint32_t>::max());
  if (!metadata_bytes) return std::nullopt;
  return LoanShape{static_cast<std::size_t>(*index), *payload_bytes, static_cast<std::uint32_t>(*metadata_bytes)};
}

// borrow(output, payload_bytes, metadata_bytes, kind, code, bits, shape, rate)
auto Borrow(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("borrow", count, 8)) return nullptr;
  const auto shape = ParseLoanShape(args[0], args[1], args[2]);
  if (!shape) return nullptr;
  auto loan = BorrowLoan(*host, *shape);
  if (!loan) return Raise(loan.error());
  loan->header().payload_bytes = shape->payload_bytes;
  if (!Describe({args[3], args[4], args[5], args[6], args[7]}, loan->header())) return nullptr;
  // A loan whose header does not describe its bytes would be written out of bounds through the buffer protocol.
  auto header = loan->header();
  header.size = sizeof(header);
  header.metadata_bytes = 0;
  if (auto valid = message::Validate(header, shape->payload_bytes); !valid) return Raise(valid.error());
  return NewLoan(object, *shape, std::move(*loan));
}

// The memory of `source` when it is a loan of this output, else a new loan with a copy of its bytes.
auto TakeOrCopy(PyObject* object, nodes::Host& host, PyObject* source, LoanShape shape)
    -> std::optional<transport::Loan> {
  if (IsLoanOf(source, object, shape.output)) {
    if (ShapeOf(source).metadata_bytes < shape.metadata_bytes) {
      PyErr_SetString(PyExc_ValueError,
                      "this buffer was loaned without room for its metadata: give the metadata when loaning");
      return std::nullopt;
    }
    return TakeLoan(source);
  }
  Bytes bytes;
  if (!bytes.Acquire(source)) return std::nullopt;
  shape.payload_bytes = bytes.view().size();
  auto loan = BorrowLoan(host, shape);
  if (!loan) {
    Raise(loan.error());
    return std::nullopt;
  }
  const auto copy = [&] { std::memcpy(loan->bytes().data(), bytes.view().data(), bytes.view().size()); };
  constexpr std::size_t kWorthReleasingTheGil = 64 * 1024;  // about 10 µs of copying
  if (bytes.view().size() >= kWorthReleasingTheGil) {
    WithoutGil(copy);
  } else if (!bytes.view().empty()) {
    copy();
  }
  loan->header().payload_bytes = bytes.view().size();
  return std::move(*loan);
}

// publish(output, source, kind, code, bits, shape, rate, time, metadata)
auto Publish(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("publish", count, 9)) return nullptr;
  Bytes metadata;
  if (!metadata.Acquire(args[8])) return nullptr;
  const auto output = ToUnsigned(args[0], "output", 1U << 20U);
  if (!output) return nullptr;
  if (metadata.view().size() > std::numeric_limits<std::uint32_t>::max()) {
    PyErr_SetString(PyExc_ValueError, "metadata of more than 4 GiB");
    return nullptr;
  }
  const LoanShape shape{static_cast<std::size_t>(*output), 0, static_cast<std::uint32_t>(metadata.view().size())};
  long long time = 0;
  if (args[7] != Py_None) {
    time = PyLong_AsLongLong(args[7]);
    if (time == -1 && PyErr_Occurred() != nullptr) return nullptr;
  }
  auto loan = TakeOrCopy(object, *host, args[1], shape);
  if (!loan) return nullptr;
  auto& header = loan->header();
  if (!Describe({args[2], args[3], args[4], args[5], args[6]}, header)) return nullptr;
  header.metadata_bytes = shape.metadata_bytes;
  if (args[7] != Py_None) {
    header.media_time_ns = time;
    header.flags |= message::kFlagHasMediaTime;
  }
  if (shape.metadata_bytes != 0) {
    std::memcpy(loan->bytes().data() + message::MetadataOffset(header.payload_bytes), metadata.view().data(),
                shape.metadata_bytes);
  }
  return NoneOr(WithoutGil([&] { return host->Publish(shape.output, std::move(*loan)); }));
}

auto Drain(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr) return nullptr;
  return NoneOr(WithoutGil([&] { return host->Drain(); }));
}

auto ReportFinished(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr) return nullptr;
  host->ReportFinished();
  Py_RETURN_NONE;
}

// report_failed(phase, error, message, traceback, edge or None, sequence or None)
auto ReportFailed(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("report_failed", count, 6)) return nullptr;
  worker::Failed failed;
  std::string* const texts[] = {&failed.phase, &failed.error, &failed.message, &failed.traceback};
  for (std::size_t i = 0; i < 4; ++i) {
    auto text = ToString(args[i], "report_failed");
    if (!text) return nullptr;
    *texts[i] = std::move(*text);
  }
  if (args[4] != Py_None) {
    failed.edge = ToString(args[4], "edge");
    if (!failed.edge) return nullptr;
  }
  if (args[5] != Py_None) {
    failed.sequence = ToUnsigned(args[5], "sequence", std::numeric_limits<std::uint64_t>::max());
    if (!failed.sequence) return nullptr;
  }
  host->ReportFailure(failed);
  Py_RETURN_NONE;
}

auto StopRequested(PyObject* object, PyObject*) -> PyObject* {
  auto* host = Usable(object);
  return host == nullptr ? nullptr : PyBool_FromLong(host->stop_requested() ? 1 : 0);
}

auto SleepUntil(PyObject* object, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  auto* host = Usable(object);
  if (host == nullptr || !CheckCount("sleep_until", count, 1)) return nullptr;
  const auto time = ToTime(args[0]);
  if (!time) return nullptr;
  return PyBool_FromLong(WithoutGil([&] { return host->SleepUntil(*time); }) ? 1 : 0);
}

auto Close(PyObject* object, PyObject*) -> PyObject* {
  auto& self = Self(object);
  if (self.closing && !self.host && !Forked()) return PyBool_FromLong(self.closed ? 1 : 0);
  if (Usable(object) == nullptr) return nullptr;
  // Memory that Python still sees stays mapped until it does not, or the process ends.
  self.closing = self.children != 0;
  if (self.closing) Py_RETURN_FALSE;
  CloseHost(self);
  Py_RETURN_TRUE;
}

auto TakeOver(PyObject* object, PyObject*) -> PyObject* {
  if (!CheckNotForked()) return nullptr;
  Self(object).owner = std::this_thread::get_id();
  Py_RETURN_NONE;
}

// Any thread: the lock keeps Close from taking the host away meanwhile.
auto HangUp(PyObject* object, PyObject*) -> PyObject* {
  if (!CheckNotForked()) return nullptr;
  if (const auto& self = Self(object); self.host) self.host->HangUp();
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    NoArguments("configuration", Configuration, "configuration() -> dict: what the runtime sent"),
    NoArguments("restore_state", RestoreState,
                "restore_state() -> (format, bytes) or None: what the worker before this one had kept"),
    Fast("keep_state", KeepState, "keep_state(format, bytes): after what was published, before acknowledge"),
    NoArguments("publish_anew", PublishAnew, "publish_anew(): a source's messages are new from now on"),
    NoArguments("check_replay", CheckReplay,
                "check_replay(): PortError when a source gave less than an earlier worker of the node"),
    NoArguments("ended_before", EndedBefore,
                "ended_before() -> bool: an earlier worker of the node had sent everything"),
    Fast("ready", Ready, "ready(inputs, outputs): port types; waits for the start"),
    NoArguments("next", Next,
                "next() -> (kind, input, view or None); kinds: 0 message, 1 port ended, 2 all ended, 3 stop"),
    Fast("next_until", NextUntil, "next_until(monotonic_ns): as next, or (4, 0, None) when that time comes first"),
    NoArguments("try_next", TryNext, "try_next(): as next, without waiting; None when there is nothing now"),
    NoArguments("begin_tick", BeginTick,
                "begin_tick() -> bool: what is published until the next event is a timer's; False: not now, but after "
                "a message that is to come again"),
    NoArguments("begin_finish", BeginFinish, "begin_finish(): what is published from now on is what `finish` gives"),
    NoArguments("arrivals", Arrivals, "arrivals() -> int: changes with every ring for this node"),
    Fast("await_arrival", AwaitArrival, "await_arrival(seen): until arrivals() is not `seen`, or earlier; any thread"),
    NoArguments("ring_arrivals", RingArrivals, "ring_arrivals(): ends await_arrival; any thread"),
    NoArguments("in_hand", InHand, "in_hand() -> (input, sequence, trace id) or None: what is being handled"),
    Fast("take", Take, "take(input) -> view or None: the next message of a port that is joined; None: it has ended"),
    Fast("begin", Begin, "begin(views): these are handled together; the first is the current message"),
    Fast("release", Release, "release(input, sequence): acknowledges what was taken and is not the current message"),
    Fast("acknowledge", Acknowledge, "acknowledge(overhead_ns): the current message is handled"),
    Fast("borrow", Borrow, "borrow(output, payload_bytes, metadata_bytes, kind, code, bits, shape, rate) -> Loan"),
    Fast("publish", Publish,
         "publish(output, source, kind, code, bits, shape, rate, time, metadata); waits for credit"),
    NoArguments("drain", Drain, "drain(): ends the outputs and waits until consumers have everything"),
    NoArguments("report_finished", ReportFinished, "report_finished(): last words of a worker that ends well"),
    Fast("report_failed", ReportFailed, "report_failed(phase, error, message, traceback, edge, sequence)"),
    NoArguments("stop_requested", StopRequested, "stop_requested() -> bool"),
    Fast("sleep_until", SleepUntil, "sleep_until(monotonic_ns) -> bool: false when stopped first"),
    NoArguments(
        "close", Close,
        "close() -> bool: closes the ports; false while Python sees their memory, after which they close (and it "
        "may be asked again)"),
    NoArguments("take_over", TakeOver, "take_over(): the ports belong to the calling thread from now on"),
    NoArguments("hang_up", HangUp, "hang_up(): as if the runtime had gone; any thread"),
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    Slot(Py_tp_new, RefuseNew),
    Slot(Py_tp_dealloc, Dealloc),
    {Py_tp_methods, methods},
    {0, nullptr},
};
PyType_Spec spec = {"penstock._core.Host", sizeof(HostObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

auto AddHostType(PyObject* module) -> bool {
  type = AddType(module, "Host", spec);
  return type != nullptr;
}

auto Attach(PyObject*, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  if (!CheckNotForked() || !CheckCount("attach", count, 6)) return nullptr;
  const auto fd = ToUnsigned(args[0], "control_fd", std::numeric_limits<int>::max());
  if (!fd) return nullptr;
  std::string texts[4];
  for (std::size_t i = 0; i < 4; ++i) {
    auto text = ToString(args[i + 1], "attach");
    if (!text) return nullptr;
    texts[i] = std::move(*text);
  }
  const double timeout_s = PyFloat_AsDouble(args[5]);
  if (timeout_s == -1.0 && PyErr_Occurred() != nullptr) return nullptr;
  const auto timeout = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(timeout_s));

  nodes::Host::Options options{base::UniqueFd(static_cast<int>(*fd)),
                               worker::Hello{getpid(), texts[0], texts[1], texts[2], texts[3]},
                               [] {
                                 if (!outlives_runtimes.load()) _exit(kExitRuntimeGone);
                               },
                               [](const std::function<void()>& wait) { WithoutGil(wait); }};
  auto host = WithoutGil([&] { return nodes::Host::Attach(std::move(options), base::Deadline::In(timeout)); });
  if (!host) return Raise(host.error());
  PyObject* object = Allocate(type);
  if (object == nullptr) return nullptr;
  std::construct_at(&Self(object), Content{std::move(*host), std::this_thread::get_id(), 0});
  return object;
}

void AddChild(PyObject* host) { ++Self(host).children; }
void ReleaseChild(PyObject* host) {
  auto& self = Self(host);
  if (--self.children == 0 && self.closing) CloseHost(self);
}

auto OutliveRuntimes(PyObject*, PyObject*) -> PyObject* {
  outlives_runtimes.store(true);
  Py_RETURN_NONE;
}

// raise_in(thread, exception): between two steps of its Python code.
auto RaiseIn(PyObject*, PyObject* const* args, Py_ssize_t count) -> PyObject* {
  if (!CheckCount("raise_in", count, 2)) return nullptr;
  const auto thread = ToUnsigned(args[0], "thread", std::numeric_limits<unsigned long>::max());
  if (!thread) return nullptr;
  return PyBool_FromLong(PyThreadState_SetAsyncExc(*thread, args[1]));
}

}  // namespace penstock::core
