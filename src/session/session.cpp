#include "session/session.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/uuid.h"
#include "session/engine_account.h"
#include "session/hearing.h"
#include "session/promises.h"
#include "session/session_impl.h"
#include "transport/monotonic.h"

namespace penstock::session {
namespace {

using base::Error;
using std::chrono::seconds;

// An agent answers a spawn in milliseconds; an interpreter says hello within a second even on a loaded machine.
constexpr seconds kHelloTimeout{30};
// Opening a port takes milliseconds; this bounds a worker that hangs in it.
constexpr seconds kAgentTimeout{10};
// Over which cores in use are measured: longer than the 0.1 s of a CPU period, so that throttling does not show as
// bursts.
constexpr std::chrono::milliseconds kCpuWindow{150};

}  // namespace

auto Session::Create(SessionOptions options, Observer& observer) -> base::Expected<std::unique_ptr<Session>> {
  base::RaiseDescriptorLimit();
  PENSTOCK_ASSIGN(auto loop, base::EventLoop::Create());
  auto id = base::NewUuidV7();
  PENSTOCK_ASSIGN(auto numbers, RealmNumbers::TakeFor(options.plan));
  PENSTOCK_ASSIGN(auto wiring, Wiring::Make(options.plan, id, numbers.first()));
  return std::unique_ptr<Session>(new Session(std::make_unique<Impl>(
      std::move(options), observer, std::move(loop), std::move(id), std::move(numbers), std::move(wiring))));
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;
auto Session::id() const noexcept -> const std::string& { return impl_->id(); }
auto Session::Run() -> Report { return impl_->Run(); }
void Session::Stop() { impl_->Stop(); }
void Session::Kill() { impl_->Kill(); }
void Session::Note(base::LogLevel level, std::string_view text) { impl_->Note(level, text); }

Session::Impl::Impl(SessionOptions options, Observer& observer, std::unique_ptr<base::EventLoop> loop, std::string id,
                    RealmNumbers numbers, Wiring wiring)
    : options_(std::move(options)),
      observer_(id, options_.plan.name, options_.log, observer),
      loop_(std::move(loop)),
      id_(std::move(id)),
      numbers_(std::move(numbers)),
      wiring_(std::move(wiring)),
      barrier_(options_.plan),
      memory_(*loop_, options_.plan, wiring_, MemoryHandlers()),
      errands_(*loop_, [this] { EndIfAllDone(); }) {
  for (const auto& node : options_.plan.nodes) {
    auto& state = nodes_.emplace_back();
    state.node = &node;
    if (!node.restart) continue;
    state.budget.emplace(*node.restart);
    state.quarantines.emplace(*node.restart);
  }
  report_.session = id_;
  report_.pipeline = options_.plan.name;
}

auto Session::Impl::Run() -> Report {
  began_ = std::chrono::steady_clock::now();
  oom_kills_before_ = container::ReadHostMemory().oom_kills;
  if (options_.events != nullptr) {
    events_ = options_.events->Listen(
        {.on_out_of_memory =
             [this](const std::string& container) { loop_->Post([this, container] { OnOutOfMemory(container); }); },
         .on_lost = [this](const base::Status& how) { loop_->Post([this, how] { OnEngineLost(how); }); }});
  }
  if (const auto served = ServeControl(); !served) {
    FailEnvironment("", base::Error(served.error()).While("making the session known to other commands"));
  } else {
    PlaceAll();
  }
  loop_->Run();
  report_.timeline.ended = SecondsSinceStart();
  FillReport();
  ReleaseContainers();
  report_.log = observer_.Close(report_);
  control_.reset();
  return std::move(report_);
}

auto Session::Impl::ServeControl() -> base::Status {
  PENSTOCK_ASSIGN(
      control_, ControlServer::Create(*loop_, id_,
                                      {.status = [this](ControlServer::Reply reply) { AnswerStatus(std::move(reply)); },
                                       .stop = [this] { Stop(); },
                                       .kill = [this] { Kill(); }}));
  PENSTOCK_TRY(WritePromises(control_->directory(), options_.plan));
  options_.admission.reset();
  return {};
}

auto Session::Impl::View() -> SessionView {
  return {.plan = options_.plan,
          .wiring = wiring_,
          .nodes = nodes_,
          .started = started_,
          .oom_kills_before = oom_kills_before_};
}

// Two readings of the containers' CPU time, taken only when somebody asks.
void Session::Impl::AnswerStatus(ControlServer::Reply reply) {
  loop_->After(kCpuWindow, [this, reply = std::move(reply), before = SampleCpu(View())] {
    FillReport();
    reply(StatusOf(View(), report_,
                   {.manifest = options_.plan.file,
                    .phase = ending_ || stopping_ ? "ending"
                             : started_           ? "running"
                                                  : "starting",
                    .age_s = SecondsSinceStart()},
                   before));
  });
}

// --- start
// ----------------------------------------------------------------------------------------------------------------

void Session::Impl::PlaceAll() {
  const bool needs_host_agent = std::ranges::any_of(
      options_.plan.nodes, [](const plan::Node& node) { return node.placement != plan::Placement::kContainer; });
  if (needs_host_agent) {
    auto agent = container::HostAgent::Start(id_, base::Deadline::In(kAgentTimeout));
    if (!agent) return FailEnvironment("", std::move(agent.error()).While("starting the host's agent"));
    host_agent_ = std::move(*agent);
    if (const auto served = ServeLease(host_agent_->lease(), std::nullopt); !served)
      return FailEnvironment("", served.error());
  }
  placer_ = std::make_shared<Placer>(Placer::Options{.engine = options_.engine,
                                                     .session = id_,
                                                     .stop = stop_placing_.get_token(),
                                                     .environments = options_.environments},
                                     observer_);
  being_placed_ = nodes_.size();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    errands_.Run("penstock-place", [this, i]() -> std::function<void()> {
      auto placed = std::make_shared<base::Expected<Placed>>(placer_->Place(options_.plan, *nodes_[i].node));
      return [this, i, placed] { OnPlaced(i, std::move(*placed)); };
    });
  }
}

void Session::Impl::OnPlaced(std::size_t index, base::Expected<Placed> placed) {
  auto& state = nodes_[index];
  --being_placed_;
  if (!placed) {
    // Cancelled placements follow from an earlier failure or a stop.
    if (!ending_) FailEnvironment(state.node->id, placed.error());
    return;
  }
  if (!ending_) report_.timeline.environments = std::max(report_.timeline.environments, placed->environment_ready);
  if (!ending_ && being_placed_ == 0) OnAllPlaced();
  if (MoveIn(index, std::move(*placed))) StartWorker(index);
}

auto Session::Impl::MoveIn(std::size_t index, Placed placed) -> bool {
  auto& state = nodes_[index];
  state.container = std::move(placed.container);
  if (state.container) state.watch.emplace(state.container->id(), options_.events);
  if (ending_) return false;
  state.command = std::move(placed.command);
  state.lease = std::move(placed.lease);
  if (!state.lease) return true;
  const auto served = ServeLease(*state.lease, index);
  if (!served) FailEnvironment(state.node->id, served.error());
  return served.has_value();
}

void Session::Impl::OnAllPlaced() {
  report_.timeline.agents = SecondsSinceStart();
  observer_.OnProgress("starting nodes", "");
  // Environments take what they take; from here on everything is ours and bounded.
  start_deadline_ = loop_->After(options_.plan.start_timeout, [this] {
    std::vector<std::string> missing;
    for (const auto index : barrier_.Missing()) {
      const auto throttled = ThrottledClause(*nodes_[index].node, EvidenceOf(index));
      missing.push_back(nodes_[index].node->id + (throttled ? fmt::format(" ({})", *throttled) : ""));
    }
    Fail({.node = {},
          .sentence =
              fmt::format("the pipeline did not start within {:.1f} s: still waiting for {}; raise the session's "
                          "start_timeout if it needs longer",
                          std::chrono::duration<double>(options_.plan.start_timeout).count(), fmt::join(missing, ", ")),
          .traceback = {}});
  });
}

auto Session::Impl::ServeLease(container::AgentLease& lease, std::optional<std::size_t> index) -> base::Status {
  return lease.Serve(
      *loop_,
      {.on_exited = [this, index](const worker::Exited& exited) { OnExited(index.value_or(exited.id), exited); },
       .on_lost = [this, index](const Error& error) { OnLeaseLost(index, error); }});
}

void Session::Impl::StartWorker(std::size_t index) {
  auto& state = nodes_[index];
  const auto& id = state.node->id;
  state.worker = std::make_unique<WorkerProcess>(
      *loop_, id,
      WorkerProcess::Handlers{
          .on_message =
              [this, index](worker::Received<worker::FromWorker> received) { OnMessage(index, std::move(received)); },
          .on_lines =
              [this, &state](std::vector<observe::LogRecord> lines) {
                for (const auto& line : lines) {
                  if (line.stream == observe::Stream::kStderr) state.dump.Add(line.text);
                }
                observer_.OnLines(std::move(lines));
              },
          .has_room = [this, &id](const auto& resume) { return observer_.HasRoom(id, resume); },
          .on_spawned =
              [this, index] {
                nodes_[index].spawned = std::chrono::steady_clock::now();
                if (nodes_[index].interpreter.empty())
                  SetDeadline(index, kHelloTimeout, "start its interpreter",
                              "see what it printed, and whether this host is overloaded");
              },
          .on_spawn_failed =
              [this, index, &id](const Error& error) {
                nodes_[index].exited = true;  // it never was
                if (MovesOut(index, error.ToString())) return;
                if (nodes_[index].replacing && nodes_[index].container) {
                  base::Log(base::LogLevel::kWarning, "node '{}' could not be started again in its container: {}", id,
                            error.ToString());
                  return FailNode(index, ContainerLost{});
                }
                FailForGood(index, {.node = id,
                                    .sentence = fmt::format("node '{}' could not be started: {}", id, error.ToString()),
                                    .traceback = {}});
              },
          .on_died = [this, index] { OnDied(index); },
          .on_hung_up = [this, index] { OnHungUp(index); },
          .on_protocol_error = [this, index](const Error& error) { OnProtocolError(index, error); },
      });
  state.spawned = std::chrono::steady_clock::now();
  state.died = false;
  state.exited = false;
  state.interpreter.clear();
  SetDeadline(index, state.node->start_timeout + kHelloTimeout, "get a process of its own or one that it shares",
              "see whether this host is overloaded; a model that takes long to load needs a longer start_timeout");
  auto& lease = state.lease ? *state.lease : host_agent_->lease();
  // The worker's number in its lease is its node's index: OnExited finds it by that.
  const auto spawned = state.worker->Spawn(lease, index, state.command);
  // A container's agent that has gone is noticed by itself, and told better.
  if (!spawned && !(state.lease && spawned.error().code() == base::ErrorCode::kPeerGone))
    return FailEnvironment(id, spawned.error());
}

void Session::Impl::OnMessage(std::size_t index, worker::Received<worker::FromWorker> received) {
  auto& state = nodes_[index];
  if (ending_ || !IsHeard(state, received.message)) return;
  const auto& message = received.message;
  if (const auto* hello = std::get_if<worker::Hello>(&message)) {
    OnHello(index, *hello);
  } else if (const auto* opened = std::get_if<worker::OutputsOpen>(&message)) {
    memory_.Open(index, *opened, std::move(received.fds));
  } else if (const auto* grow = std::get_if<worker::Grow>(&message)) {
    memory_.Grow(index, *grow);
  } else if (std::holds_alternative<worker::InputsOpen>(message)) {
    Execute(barrier_.InputsOpen(index));
    AnnounceAttached(index);
  } else if (std::holds_alternative<worker::Connected>(message)) {
    barrier_.Connected(index);
    StartIfAllReady();
    StartIfReplaced(index);
  } else if (std::holds_alternative<worker::Ready>(message)) {
    ClearDeadline(index);
    barrier_.Ready(index);
    if (!started_) observer_.OnProgress("node is ready", state.node->id);
    StartIfAllReady();
    StartIfReplaced(index);
  } else if (std::holds_alternative<worker::Finished>(message)) {
    state.finished = true;
  } else if (const auto* failed = std::get_if<worker::Failed>(&message)) {
    FailNode(index, *failed);
  }
}

void Session::Impl::OnProtocolError(std::size_t index, const Error& error) {
  const auto& id = nodes_[index].node->id;
  FailForGood(index, {.node = id,
                      .sentence = fmt::format("node '{}' broke the worker protocol: {}", id, error.ToString()),
                      .traceback = {}});
}

auto Session::Impl::MemoryHandlers() -> MemoryGrants::Handlers {
  return {.on_answer = [this](std::size_t index, const worker::ToWorker& answer) { SendOrFail(index, answer); },
          .on_prepared = [this](std::size_t index) { Execute(barrier_.OutputsOpen(index)); },
          .on_failed =
              [this](std::size_t index, const Error& error) {
                if (error.code() == base::ErrorCode::kPeerCorrupt) return OnProtocolError(index, error);
                FailEnvironment(nodes_[index].node->id, error);
              }};
}

void Session::Impl::OnHello(std::size_t index, const worker::Hello& hello) {
  auto& state = nodes_[index];
  state.interpreter = fmt::format("{} {}", hello.language, hello.version);
  if (++greeted_ == nodes_.size()) {
    report_.timeline.hellos = SecondsSinceStart();
    if (options_.engine_account != nullptr) {
      report_.timeline.engine_requests = options_.engine_account->Covered(began_, std::chrono::steady_clock::now());
    }
  }
  if (state.replacing) state.replacing->greeted = true;
  if (!state.replacing || state.replacing->settled) return Configure(index);
  ClearDeadline(index);  // from here on it waits for others
}

void Session::Impl::Configure(std::size_t index) {
  auto& state = nodes_[index];
  auto configure = wiring_.ConfigureFor(options_.plan, index, state.restarts);
  configure.code =
      state.node->placement == plan::Placement::kContainer ? container::kCodeTarget : options_.plan.directory.string();
  configure.measure_cpu = options_.measure_cpu;
  const auto quarantine = OpenQuarantine(index, configure);
  if (!quarantine) return FailEnvironment(state.node->id, quarantine.error());
  SetDeadline(index, state.node->start_timeout, "import its module and set up",
              "raise its start_timeout if it needs longer");
  SendOrFail(index, std::move(configure));
}

void Session::Impl::Execute(const std::vector<AttachBarrier::Command>& commands) {
  for (const auto& command : commands) {
    if (command.step == AttachBarrier::Step::kOpenInputs) {
      SendOrFail(command.node, worker::OpenInputs{});
    } else {
      TellWhoIsGone(command.node);
      SendOrFail(command.node, worker::Connect{});
    }
  }
}

void Session::Impl::StartIfAllReady() {
  if (started_ || ending_ || !barrier_.Passed()) return;
  started_ = true;
  loop_->Cancel(start_deadline_);
  report_.timeline.started = SecondsSinceStart();
  observer_.OnStarted(id_);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Begin(i);
  }
  for (std::size_t edge = 0; edge < options_.plan.edges.size(); ++edge) WatchRoom(edge);
}

void Session::Impl::Begin(std::size_t index) {
  nodes_[index].running_since_ns = static_cast<std::uint64_t>(transport::MonotonicNow());
  SendOrFail(index, worker::Start{});
  WatchHandler(index);
}

void Session::Impl::SendOrFail(std::size_t index, const worker::ToWorker& message) {
  if (ending_ || !nodes_[index].worker) return;
  const auto sent = nodes_[index].worker->Send(message);
  // A closed channel means that the worker is ending: its failure or exit status says more and is on its way.
  if (sent || sent.error().code() == base::ErrorCode::kPeerGone) return;
  FailEnvironment(nodes_[index].node->id, sent.error());
}

}  // namespace penstock::session
