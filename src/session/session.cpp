#include "session/session.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <stop_token>
#include <thread>

#include "base/event_loop.h"
#include "base/uuid.h"
#include "container/cgroup.h"
#include "container/host_agent.h"
#include "session/barrier.h"
#include "session/engine_account.h"
#include "session/failure.h"
#include "session/memory_grants.h"
#include "session/placer.h"
#include "session/wiring.h"
#include "session/worker_process.h"
#include "transport/monotonic.h"

namespace penstock::session {
namespace {

using base::Error;
using std::chrono::seconds;

// An agent answers a spawn in milliseconds; an interpreter says hello within a second even on a loaded machine.
constexpr seconds kHelloTimeout{30};
// Opening a port takes milliseconds; this bounds a worker that hangs in it.
constexpr seconds kAgentTimeout{10};
constexpr seconds kEngineCleanupTimeout{30};

auto EnvironmentFailure(std::string node, const Error& error) -> Failure {
  return {.node = std::move(node), .sentence = error.ToString(), .traceback = {}, .environment = true};
}

}  // namespace

class Session::Impl final {
 public:
  Impl(SessionOptions options, Observer& observer, std::unique_ptr<base::EventLoop> loop, std::string id,
       Wiring wiring);

  auto id() const noexcept -> const std::string& { return id_; }
  auto Run() -> Report;
  void Stop();
  void Kill();

 private:
  struct NodeState {
    const plan::Node* node = nullptr;
    std::optional<container::Container> container;
    std::unique_ptr<container::AgentLease> lease;  // of its container; null: the host agent's
    std::unique_ptr<WorkerProcess> worker;
    base::EventLoop::TimerId deadline = 0;
    std::string interpreter;
    bool finished = false;
    bool exited = false;
    std::optional<std::uint64_t> peak_memory_bytes;
    std::optional<std::int64_t> max_rss_kb;
  };

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
  auto EvidenceOf(std::size_t index) const -> EndEvidence;
  void SendOrFail(std::size_t index, const worker::ToWorker& message);

  /// Fails the session unless cleared: "node 'x' did not {what} within … s; {remedy}".
  void SetDeadline(std::size_t index, std::chrono::nanoseconds delay, std::string what, std::string remedy);
  void ClearDeadline(std::size_t index);
  void Fail(Failure failure);
  void Teardown();
  void EndIfAllDone();
  void RemoveContainers();
  auto SecondsSinceStart() const -> double;
  void FillReport();

  SessionOptions options_;
  Observer& observer_;
  std::unique_ptr<base::EventLoop> loop_;
  std::string id_;
  Wiring wiring_;
  AttachBarrier barrier_;
  MemoryGrants memory_;
  std::deque<NodeState> nodes_;  // by plan index; stable addresses
  std::unique_ptr<container::HostAgent> host_agent_;
  std::stop_source stop_placing_;
  std::vector<std::jthread> placing_;  // and what else blocks; joined before containers are removed
  std::size_t being_placed_ = 0;
  std::size_t greeted_ = 0;
  base::EventLoop::TimerId start_deadline_ = 0;
  bool started_ = false;
  bool ending_ = false;
  std::chrono::steady_clock::time_point began_;
  Report report_;
};

auto Session::Create(SessionOptions options, Observer& observer) -> base::Expected<std::unique_ptr<Session>> {
  base::RaiseDescriptorLimit();
  PENSTOCK_ASSIGN(auto loop, base::EventLoop::Create());
  auto id = base::NewUuidV7();
  PENSTOCK_ASSIGN(auto wiring, Wiring::Make(options.plan, id));
  return std::unique_ptr<Session>(new Session(
      std::make_unique<Impl>(std::move(options), observer, std::move(loop), std::move(id), std::move(wiring))));
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;
auto Session::id() const noexcept -> const std::string& { return impl_->id(); }
auto Session::Run() -> Report { return impl_->Run(); }
void Session::Stop() { impl_->Stop(); }
void Session::Kill() { impl_->Kill(); }

Session::Impl::Impl(SessionOptions options, Observer& observer, std::unique_ptr<base::EventLoop> loop, std::string id,
                    Wiring wiring)
    : options_(std::move(options)),
      observer_(observer),
      loop_(std::move(loop)),
      id_(std::move(id)),
      wiring_(std::move(wiring)),
      barrier_(options_.plan),
      memory_(*loop_, options_.plan, wiring_, MemoryHandlers()) {
  for (const auto& node : options_.plan.nodes) nodes_.emplace_back().node = &node;
  report_.session = id_;
  report_.pipeline = options_.plan.name;
}

auto Session::Impl::Run() -> Report {
  began_ = std::chrono::steady_clock::now();
  PlaceAll();
  loop_->Run();
  stop_placing_.request_stop();
  placing_.clear();  // joins
  report_.timeline.ended = SecondsSinceStart();
  FillReport();
  RemoveContainers();
  return std::move(report_);
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
  const auto placer = std::make_shared<Placer>(
      Placer::Options{
          .engine = options_.engine, .runtime = options_.runtime, .session = id_, .stop = stop_placing_.get_token()},
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
    for (const auto index : barrier_.Missing()) missing.push_back(nodes_[index].node->id);
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
      *loop_,
      WorkerProcess::Handlers{
          .on_message =
              [this, index](worker::Received<worker::FromWorker> received) { OnMessage(index, std::move(received)); },
          .on_line =
              [this, &id](Stream stream, base::LogLevel level, std::string_view text) {
                observer_.OnLog({.node = id, .stream = stream, .level = level, .text = text});
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
  auto& lease = state.lease ? *state.lease : host_agent_->lease();
  // The worker's number in its lease is its node's index: OnExited finds it by that.
  if (const auto spawned = state.worker->Spawn(lease, index, command); !spawned)
    return Fail(EnvironmentFailure(id, spawned.error()));
  SetDeadline(index, kHelloTimeout, "start its interpreter",
              "see what it printed, and whether this host is overloaded");
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
    Fail(FailureOf(*nodes_[index].node, *failed));
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
  if (!ending_ && !(state.finished && exited.code == 0)) Fail(FailureOf(*state.node, exited, EvidenceOf(index)));
  state.worker->DrainOutput();
  EndIfAllDone();
}

void Session::Impl::OnLeaseLost(std::optional<std::size_t> index, const Error& error) {
  if (!index) {
    Fail(EnvironmentFailure("", Error(base::ErrorCode::kPeerGone,
                                      fmt::format("the host's agent ended unexpectedly: {}", error.ToString()))));
    return;
  }
  auto& state = nodes_[*index];
  if (state.exited || ending_) return;
  Fail({.node = state.node->id,
        .sentence = fmt::format("the container of node '{}' ended unexpectedly", state.node->id),
        .traceback = {}});
  // The engine learns of it some milliseconds after us, so how it ended is told apart, and not awaited on this thread.
  placing_.emplace_back([this, &state] {
    const docker::Call call(base::Deadline::In(seconds(2)));
    if (!options_.engine->Wait(state.container->id(), docker::WaitFor::kNotRunning, call)) return;
    observer_.OnFailureDetail(
        fmt::format("the container of node '{}' {}", state.node->id, state.container->DescribeEnd(call)));
  });
}

auto Session::Impl::EvidenceOf(std::size_t index) const -> EndEvidence {
  EndEvidence evidence;
  evidence.phase = nodes_[index].finished ? Phase::kFinished : started_ ? Phase::kRunning : Phase::kStarting;
  const auto now = static_cast<std::uint64_t>(transport::MonotonicNow());
  for (const auto edge : nodes_[index].node->inputs) {
    const auto stats = observe::ReadEdgeStats(wiring_.edge(edge));
    if (stats.handling_since_ns == 0 || stats.handling_since_ns > now) continue;
    evidence.in_flight = InFlight{.edge = options_.plan.edges[edge].id,
                                  .sequence = stats.handling_sequence,
                                  .handling_ns = now - stats.handling_since_ns};
  }
  if (const auto& container = nodes_[index].container) evidence.memory = container::ReadMemoryAccount(container->id());
  return evidence;
}

void Session::Impl::SetDeadline(std::size_t index, std::chrono::nanoseconds delay, std::string what,
                                std::string remedy) {
  ClearDeadline(index);
  nodes_[index].deadline =
      loop_->After(delay, [this, index, delay, what = std::move(what), remedy = std::move(remedy)] {
        nodes_[index].deadline = 0;
        const auto& id = nodes_[index].node->id;
        Fail({.node = id,
              .sentence = fmt::format("node '{}' did not {} within {:.1f} s; {}", id, what,
                                      std::chrono::duration<double>(delay).count(), remedy),
              .traceback = {}});
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

void Session::Impl::RemoveContainers() {
  std::vector<std::jthread> removing;
  for (auto& state : nodes_) {
    state.worker.reset();
    state.lease.reset();
    if (!state.container) continue;
    removing.emplace_back([&state] {
      const auto removed = state.container->Remove(docker::Call(base::Deadline::In(kEngineCleanupTimeout)));
      if (!removed)
        base::Log(base::LogLevel::kWarning, "container of node '{}': {}", state.node->id, removed.error().ToString());
    });
  }
  host_agent_.reset();
}

void Session::Impl::Stop() {
  loop_->Post([this] {
    if (ending_) return;
    report_.interrupted = true;
    if (!started_) return Teardown();
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].node->is_source()) SendOrFail(i, worker::Stop{});
    }
  });
}

void Session::Impl::Kill() {
  loop_->Post([this] {
    report_.interrupted = true;
    Teardown();
  });
}

auto Session::Impl::SecondsSinceStart() const -> double {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

void Session::Impl::FillReport() {
  report_.nodes.clear();
  report_.edges.clear();
  for (std::size_t i = 0; i < options_.plan.edges.size(); ++i) {
    const auto& edge = options_.plan.edges[i];
    report_.edges.push_back({.id = edge.id, .policy = edge.policy, .stats = observe::ReadEdgeStats(wiring_.edge(i))});
  }
  for (auto& state : nodes_) {
    const auto& node = *state.node;
    NodeReport report;
    report.id = node.id;
    report.placement = node.placement;
    report.interpreter = state.interpreter;
    for (const auto edge : node.inputs) {
      const auto& stats = report_.edges[edge].stats;
      report.messages += stats.handled;
      // Of several inputs, the busiest stands for the node.
      report.handler_p50_ns = std::max(report.handler_p50_ns, stats.handler_p50_ns);
      report.handler_p99_ns = std::max(report.handler_p99_ns, stats.handler_p99_ns);
      report.overhead_cpu_p50_ns = std::max(report.overhead_cpu_p50_ns, stats.overhead_cpu_p50_ns);
    }
    for (const auto output : node.outputs) {
      std::uint64_t sent = 0;
      for (const auto edge : options_.plan.outputs[output].edges) sent = std::max(sent, report_.edges[edge].stats.sent);
      report.sent += sent;
    }
    if (state.container) {
      report.container = state.container->id();
      if (const auto memory = container::ReadMemoryAccount(state.container->id()))
        state.peak_memory_bytes = memory->peak_bytes;
      if (node.container) report.memory_limit_bytes = node.container->limits.memory_mb * plan::kMebibyte;
      report.peak_memory_bytes = state.peak_memory_bytes;
    } else if (state.max_rss_kb) {
      report.peak_memory_bytes = static_cast<std::uint64_t>(*state.max_rss_kb) * 1024U;
    }
    report_.nodes.push_back(std::move(report));
  }
}

}  // namespace penstock::session
