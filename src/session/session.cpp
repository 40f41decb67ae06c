#include "session/session.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>

#include "base/event_loop.h"
#include "base/uuid.h"
#include "container/host_agent.h"
#include "session/account.h"
#include "session/barrier.h"
#include "session/control.h"
#include "session/engine_account.h"
#include "session/memory_grants.h"
#include "session/node_state.h"
#include "session/placer.h"
#include "session/promises.h"
#include "session/realm_numbers.h"
#include "session/session_log.h"

namespace penstock::session {
namespace {

using base::Error;
using std::chrono::seconds;

// An agent answers a spawn in milliseconds; an interpreter says hello within a second even on a loaded machine.
constexpr seconds kHelloTimeout{30};
// Opening a port takes milliseconds; this bounds a worker that hangs in it.
constexpr seconds kAgentTimeout{10};
// Agents have ended by then, and with them their containers: only their removal is waited for.
constexpr seconds kEngineCleanupTimeout{10};
// After a stop, until the nodes that are still busy are named; then after twice as long, and so on.
constexpr seconds kStopPatience{5};
// Over which cores in use are measured: longer than the 0.1 s of a CPU period, so that throttling does not show as
// bursts.
constexpr std::chrono::milliseconds kCpuWindow{150};
// The engine learns of a container's end some milliseconds after us.
constexpr seconds kEngineAccountTimeout{2};

auto EnvironmentFailure(std::string node, const Error& error) -> Failure {
  return {.node = std::move(node), .sentence = error.ToString(), .traceback = {}, .environment = true};
}

}  // namespace

class Session::Impl final {
 public:
  Impl(SessionOptions options, Observer& observer, std::unique_ptr<base::EventLoop> loop, std::string id,
       RealmNumbers numbers, Wiring wiring);

  auto id() const noexcept -> const std::string& { return id_; }
  auto Run() -> Report;
  void Stop();
  void Kill();
  void Note(base::LogLevel level, std::string_view text) { observer_.Note(level, text); }

 private:
  void PlaceAll();
  void OnPlaced(std::size_t index, base::Expected<Placed> placed);
  void OnAllPlaced();
  auto ServeLease(container::AgentLease& lease, std::optional<std::size_t> index) -> base::Status;
  void StartWorker(std::size_t index, const WorkerCommand& command);
  void OnMessage(std::size_t index, worker::Received<worker::FromWorker> received);
  void OnProtocolError(std::size_t index, const Error& error);
  void OnHello(std::size_t index, const worker::Hello& hello);
  auto MemoryHandlers() -> MemoryGrants::Handlers;
  void Execute(const std::vector<AttachBarrier::Command>& commands);
  void StartIfAllReady();
  void OnDied(std::size_t index);
  void OnExited(std::size_t index, const worker::Exited& exited);
  void OnLeaseLost(std::optional<std::size_t> index, const Error& error);
  void OnOutOfMemory(const std::string& container);
  void OnEngineLost(const base::Status& how);
  auto View() -> SessionView;
  auto EvidenceOf(std::size_t index) -> Evidence { return session::EvidenceOf(View(), index); }
  void FailNode(std::size_t index, const End& end);
  /// Adds what the engine says about the end to a failure that has been told.
  void AwaitDetail(std::size_t index, const End& end);
  void SendOrFail(std::size_t index, const worker::ToWorker& message);

  /// Fails the session unless cleared: "node 'x' did not {what} within … s; {remedy}".
  void SetDeadline(std::size_t index, std::chrono::nanoseconds delay, std::string what, std::string remedy);
  void ClearDeadline(std::size_t index);
  void Fail(Failure failure);
  void Teardown();
  void EndIfAllDone();
  /// Says for whom the end is still waiting, unless it comes within `patience`.
  void NameTheBusyAfter(seconds patience);
  void ReleaseContainers();
  auto SecondsSinceStart() const -> double;
  void FillReport() { session::FillReport(View(), report_); }
  auto ServeControl() -> base::Status;
  void AnswerStatus(ControlServer::Reply reply);

  SessionOptions options_;
  SessionLog observer_;
  std::unique_ptr<base::EventLoop> loop_;
  std::string id_;
  RealmNumbers numbers_;
  Wiring wiring_;
  AttachBarrier barrier_;
  std::unique_ptr<ControlServer> control_;
  MemoryGrants memory_;
  std::deque<NodeState> nodes_;  // by plan index; stable addresses
  std::unique_ptr<container::HostAgent> host_agent_;
  std::stop_source stop_placing_;
  std::vector<std::jthread> placing_;  // and what else blocks; joined before containers are removed
  std::size_t being_placed_ = 0;
  std::size_t greeted_ = 0;
  base::EventLoop::TimerId start_deadline_ = 0;
  bool started_ = false;
  bool stopping_ = false;  // the sources were told to end
  bool ending_ = false;
  std::chrono::steady_clock::time_point began_;
  std::uint64_t oom_kills_before_ = 0;  // on this host
  Report report_;
  container::EventLedger::Subscription events_;
};

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
      memory_(*loop_, options_.plan, wiring_, MemoryHandlers()) {
  for (const auto& node : options_.plan.nodes) nodes_.emplace_back().node = &node;
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
    Fail(EnvironmentFailure("", base::Error(served.error()).While("making the session known to other commands")));
  } else {
    PlaceAll();
  }
  loop_->Run();
  stop_placing_.request_stop();
  placing_.clear();  // joins
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
                    .phase = ending_    ? "ending"
                             : started_ ? "running"
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
    if (!agent) return Fail(EnvironmentFailure("", std::move(agent.error()).While("starting the host's agent")));
    host_agent_ = std::move(*agent);
    if (const auto served = ServeLease(host_agent_->lease(), std::nullopt); !served)
      return Fail(EnvironmentFailure("", served.error()));
  }
  const auto placer = std::make_shared<Placer>(Placer::Options{.engine = options_.engine,
                                                               .session = id_,
                                                               .stop = stop_placing_.get_token(),
                                                               .environments = options_.environments},
                                               observer_);
  being_placed_ = nodes_.size();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    placing_.emplace_back([this, placer, i] {
      ::pthread_setname_np(::pthread_self(), "penstock-place");
      auto placed = std::make_shared<base::Expected<Placed>>(placer->Place(options_.plan, *nodes_[i].node));
      loop_->Post([this, i, placed] { OnPlaced(i, std::move(*placed)); });
    });
  }
}

void Session::Impl::OnPlaced(std::size_t index, base::Expected<Placed> placed) {
  auto& state = nodes_[index];
  --being_placed_;
  if (!placed) {
    // Cancelled placements follow from an earlier failure or a stop.
    if (!ending_) Fail(EnvironmentFailure(state.node->id, placed.error()));
    return EndIfAllDone();
  }
  state.container = std::move(placed->container);
  if (state.container) state.watch.emplace(state.container->id(), options_.events);
  if (ending_) return EndIfAllDone();
  report_.timeline.environments = std::max(report_.timeline.environments, placed->environment_ready);
  if (being_placed_ == 0) OnAllPlaced();
  if (placed->lease) {
    state.lease = std::move(placed->lease);
    if (const auto served = ServeLease(*state.lease, index); !served)
      return Fail(EnvironmentFailure(state.node->id, served.error()));
  }
  StartWorker(index, placed->command);
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

void Session::Impl::StartWorker(std::size_t index, const WorkerCommand& command) {
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
              [this, &id](const Error& error) {
                Fail({.node = id,
                      .sentence = fmt::format("node '{}' could not be started: {}", id, error.ToString()),
                      .traceback = {}});
              },
          .on_died = [this, index] { OnDied(index); },
          .on_protocol_error = [this, index](const Error& error) { OnProtocolError(index, error); },
      });
  state.spawned = std::chrono::steady_clock::now();
  auto& lease = state.lease ? *state.lease : host_agent_->lease();
  // The worker's number in its lease is its node's index: OnExited finds it by that.
  if (const auto spawned = state.worker->Spawn(lease, index, command); !spawned)
    return Fail(EnvironmentFailure(id, spawned.error()));
}

void Session::Impl::OnMessage(std::size_t index, worker::Received<worker::FromWorker> received) {
  if (ending_) return;
  const auto& message = received.message;
  if (const auto* hello = std::get_if<worker::Hello>(&message)) {
    OnHello(index, *hello);
  } else if (const auto* opened = std::get_if<worker::OutputsOpen>(&message)) {
    memory_.Open(index, *opened, std::move(received.fds));
  } else if (const auto* grow = std::get_if<worker::Grow>(&message)) {
    memory_.Grow(index, *grow);
  } else if (std::holds_alternative<worker::InputsOpen>(message)) {
    Execute(barrier_.InputsOpen(index));
  } else if (std::holds_alternative<worker::Connected>(message)) {
    barrier_.Connected(index);
    StartIfAllReady();
  } else if (std::holds_alternative<worker::Ready>(message)) {
    ClearDeadline(index);
    barrier_.Ready(index);
    observer_.OnProgress("node is ready", nodes_[index].node->id);
    StartIfAllReady();
  } else if (std::holds_alternative<worker::Finished>(message)) {
    nodes_[index].finished = true;
  } else if (const auto* failed = std::get_if<worker::Failed>(&message)) {
    FailNode(index, *failed);
  }
}

void Session::Impl::OnProtocolError(std::size_t index, const Error& error) {
  const auto& id = nodes_[index].node->id;
  Fail({.node = id,
        .sentence = fmt::format("node '{}' broke the worker protocol: {}", id, error.ToString()),
        .traceback = {}});
}

auto Session::Impl::MemoryHandlers() -> MemoryGrants::Handlers {
  return {.on_answer = [this](std::size_t index, const worker::ToWorker& answer) { SendOrFail(index, answer); },
          .on_prepared = [this](std::size_t index) { Execute(barrier_.OutputsOpen(index)); },
          .on_failed =
              [this](std::size_t index, const Error& error) {
                if (error.code() == base::ErrorCode::kPeerCorrupt) return OnProtocolError(index, error);
                Fail(EnvironmentFailure(nodes_[index].node->id, error));
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
  auto configure = wiring_.ConfigureFor(options_.plan, index);
  configure.code =
      state.node->placement == plan::Placement::kContainer ? container::kCodeTarget : options_.plan.directory.string();
  configure.measure_cpu = options_.measure_cpu;
  SetDeadline(index, state.node->start_timeout, "import its module and set up",
              "raise its start_timeout if it needs longer");
  SendOrFail(index, std::move(configure));
}

void Session::Impl::Execute(const std::vector<AttachBarrier::Command>& commands) {
  for (const auto& command : commands) {
    if (command.step == AttachBarrier::Step::kOpenInputs) {
      SendOrFail(command.node, worker::OpenInputs{});
    } else {
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
  for (std::size_t i = 0; i < nodes_.size(); ++i) SendOrFail(i, worker::Start{});
}

void Session::Impl::SendOrFail(std::size_t index, const worker::ToWorker& message) {
  if (ending_) return;
  const auto sent = nodes_[index].worker->Send(message);
  // A closed channel means that the worker is ending: its failure or exit status says more and is on its way.
  if (sent || sent.error().code() == base::ErrorCode::kPeerGone) return;
  Fail(EnvironmentFailure(nodes_[index].node->id, sent.error()));
}

// --- end
// ------------------------------------------------------------------------------------------------------------------

void Session::Impl::OnDied(std::size_t index) {
  if (ending_ || nodes_[index].exited) return;
  ClearDeadline(index);
  nodes_[index].deadline = loop_->After(kAgentTimeout, [this, index] {
    nodes_[index].deadline = 0;
    const auto& id = nodes_[index].node->id;
    Fail(EnvironmentFailure(
        id, Error(base::ErrorCode::kPeerGone, fmt::format("node '{}' has ended, but its agent does not say how", id))));
  });
}

void Session::Impl::OnExited(std::size_t index, const worker::Exited& exited) {
  // An agent in a container is not believed more than it can know: its own worker, once, by the number it was given.
  if (index >= nodes_.size() || exited.id != index || !nodes_[index].worker || nodes_[index].exited) {
    base::Log(base::LogLevel::kWarning, "an agent reported the end of a worker that it does not have");
    return;
  }
  auto& state = nodes_[index];
  state.exited = true;
  state.max_rss_kb = exited.max_rss_kb;
  ClearDeadline(index);
  state.worker->DrainControl();
  if (!ending_ && !(state.finished && exited.code == 0)) {
    state.worker->DrainOutput();  // an interpreter that crashed says there where it was
    FailNode(index, exited);
  }
  state.worker->DrainOutput();
  EndIfAllDone();
}

void Session::Impl::OnLeaseLost(std::optional<std::size_t> index, const Error& error) {
  if (!index) {
    Fail(EnvironmentFailure("", Error(base::ErrorCode::kPeerGone,
                                      fmt::format("the host's agent ended unexpectedly: {}", error.ToString()))));
    return;
  }
  if (nodes_[*index].exited || ending_) return;
  FailNode(*index, ContainerLost{});
}

void Session::Impl::OnOutOfMemory(const std::string& container) {
  if (ending_) return;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& state = nodes_[i];
    if (!state.watch || state.watch->container() != container || state.exited) continue;
    for (const auto& remark : RemarksOn(*state.node, EvidenceOf(i))) base::Log(base::LogLevel::kWarning, "{}", remark);
  }
}

void Session::Impl::OnEngineLost(const base::Status& how) {
  if (ending_) return;
  base::Log(base::LogLevel::kWarning,
            "the Docker engine's stream of events ended ({}): it was stopped or restarted; containers usually end "
            "with it",
            how ? "in order" : how.error().message());
}

void Session::Impl::FailNode(std::size_t index, const End& end) {
  if (ending_) return;
  const auto evidence = EvidenceOf(index);
  Fail(FailureOf(*nodes_[index].node, end, evidence));
  if (IsUnexplained(end, evidence)) AwaitDetail(index, end);
}

void Session::Impl::AwaitDetail(std::size_t index, const End& end) {
  if (options_.events == nullptr) return;
  const bool container_lost = std::holds_alternative<ContainerLost>(end);
  placing_.emplace_back([this, &state = nodes_[index], container_lost] {
    const auto record = options_.events->AwaitEnd(state.watch->container(), base::Deadline::In(kEngineAccountTimeout));
    const bool engine_lost = options_.events->is_lost();
    // Without this its agent has ended in order, because the session has.
    if (!container_lost && !record.signal_asked && !engine_lost) return;
    if (const auto detail = DetailOf(*state.node, record, engine_lost)) observer_.OnFailureDetail(*detail);
  });
}

void Session::Impl::SetDeadline(std::size_t index, std::chrono::nanoseconds delay, std::string what,
                                std::string remedy) {
  ClearDeadline(index);
  nodes_[index].deadline =
      loop_->After(delay, [this, index, delay, what = std::move(what), remedy = std::move(remedy)] {
        nodes_[index].deadline = 0;
        FailNode(index, Overdue{.what = what, .allowed = delay, .remedy = remedy});
      });
}

void Session::Impl::ClearDeadline(std::size_t index) {
  if (nodes_[index].deadline != 0) loop_->Cancel(nodes_[index].deadline);
  nodes_[index].deadline = 0;
}

void Session::Impl::Fail(Failure failure) {
  if (ending_) return;
  report_.failure = std::move(failure);
  observer_.OnFailure(*report_.failure);
  Teardown();
}

void Session::Impl::Teardown() {
  if (ending_) return;
  ending_ = true;
  stop_placing_.request_stop();
  FillReport();  // while the containers' accounts still exist
  for (std::size_t i = 0; i < nodes_.size(); ++i) ClearDeadline(i);
  loop_->Cancel(start_deadline_);
  // Posted: this may run inside a handler of what is closed here.
  loop_->Post([this] {
    for (auto& state : nodes_) {
      if (state.lease) state.lease->Close();
      if (state.worker) state.worker->DrainOutput();
    }
    if (host_agent_) host_agent_->lease().Close();
    EndIfAllDone();
  });
}

void Session::Impl::EndIfAllDone() {
  if (being_placed_ > 0) return;
  if (ending_) return loop_->Stop();
  if (!std::ranges::all_of(nodes_, [](const NodeState& state) { return state.exited; })) return;
  Teardown();
}

void Session::Impl::ReleaseContainers() {
  std::mutex mutex;
  std::vector<std::string> kept;
  std::optional<Error> problem;
  std::vector<std::jthread> releasing;
  for (auto& state : nodes_) {
    state.worker.reset();
    state.lease.reset();
    if (!state.container) continue;
    releasing.emplace_back([&] {
      const auto released = state.container->Release(docker::Call(base::Deadline::In(kEngineCleanupTimeout)));
      if (released) return;
      const std::lock_guard lock(mutex);
      kept.push_back(state.node->id);
      if (!problem) problem = released.error();
    });
  }
  releasing.clear();  // joins
  host_agent_.reset();
  if (!problem) return;
  // An engine that is gone is one problem, however many containers there are.
  base::Log(base::LogLevel::kWarning,
            "the container of node '{}' could not be removed, the next penstock command removes what is left: {}",
            fmt::join(kept, "', '"), problem->ToString());
}

void Session::Impl::Stop() {
  loop_->Post([this] {
    if (ending_) return;
    report_.interrupted = true;
    if (!started_) return Teardown();
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].node->is_source()) SendOrFail(i, worker::Stop{});
    }
    if (!stopping_) NameTheBusyAfter(kStopPatience);
    stopping_ = true;
  });
}

void Session::Impl::NameTheBusyAfter(seconds patience) {
  loop_->After(patience, [this, patience] {
    if (ending_) return;
    base::Log(base::LogLevel::kWarning, "{}", WaitingFor(View()));
    NameTheBusyAfter(2 * patience);
  });
}

void Session::Impl::Kill() {
  loop_->Post([this] {
    report_.interrupted = true;
    observer_.OnKilled();
    Teardown();
  });
}

auto Session::Impl::SecondsSinceStart() const -> double {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

}  // namespace penstock::session
