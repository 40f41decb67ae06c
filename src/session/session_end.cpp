// How a session ends: failures, their autopsies, and the order of going.
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

#include "base/count.h"
#include "session/session_impl.h"

namespace penstock::session {
namespace {

using base::Error;
using std::chrono::seconds;

// Between a worker's last word, when it could not even say that, and its end.
constexpr seconds kHungUpGrace{5};
// Between the end of a worker and its agent's word on it.
constexpr seconds kAgentTimeout{10};
// Agents have ended by then, and with them their containers: only their removal is waited for.
constexpr seconds kEngineCleanupTimeout{10};
// After a stop, until the nodes that are still busy are named; then after twice as long, and so on.
constexpr seconds kStopPatience{5};
// The engine learns of a container's end some milliseconds after us.
constexpr seconds kEngineAccountTimeout{2};

auto KilledAtLimits() -> worker::Exited {
  worker::Exited exited;
  exited.signal = SIGKILL;
  return exited;
}

auto Seconds(std::chrono::nanoseconds time) -> double { return std::chrono::duration<double>(time).count(); }

}  // namespace

void Session::Impl::OnDied(std::size_t index) {
  if (ending_ || nodes_[index].exited) return;
  nodes_[index].died = true;
  ClearDeadline(index);
  nodes_[index].deadline = loop_->After(kAgentTimeout, [this, index] {
    nodes_[index].deadline = 0;
    const auto& id = nodes_[index].node->id;
    // A container at its limits may be too busy for its agent; how the worker ended follows from that.
    const auto evidence = EvidenceOf(index);
    if (HasMetLimits(evidence)) return FailNode(index, KilledAtLimits());
    FailEnvironment(
        id, Error(base::ErrorCode::kPeerGone, fmt::format("node '{}' has ended, but its agent does not say how", id)));
  });
}

void Session::Impl::OnHungUp(std::size_t index) {
  auto& state = nodes_[index];
  if (ending_ || state.died || state.exited || state.finished || state.replacing || state.overdue) return;
  ClearDeadline(index);
  state.deadline = loop_->After(kHungUpGrace, [this, index] {
    auto& stuck = nodes_[index];
    stuck.deadline = 0;
    FailForGood(index, {.node = stuck.node->id,
                        .sentence = fmt::format(
                            "node '{}' has closed its connection to the runtime and goes on without it: its code "
                            "must not close descriptors that it has not opened (os.closerange, daemonizing)",
                            stuck.node->id),
                        .traceback = {}});
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
  state.killed = exited.signal.has_value();
  ClearWatch(index);
  state.keeps = exited.keeps;
  state.max_rss_kb = exited.max_rss_kb;
  ClearDeadline(index);
  NoLongerConsumes(index);
  const auto* replacing = state.replacing.get();
  state.worker->DrainControl();
  if (state.replacing.get() != replacing) {
    // Its last words were a failure, for which it is replaced.
  } else if (replacing != nullptr && !replacing->ended) {
    OnEnded(index);
  } else if (!ending_ && !(state.finished && exited.code == 0)) {
    state.worker->DrainOutput();  // an interpreter that crashed says there where it was
    if (const auto overdue = std::exchange(state.overdue, std::nullopt)) {
      FailNode(index, *overdue);
    } else {
      FailNode(index, exited);
    }
  }
  state.worker->DrainOutput();
  EndIfAllDone();
}

void Session::Impl::OnLeaseLost(std::optional<std::size_t> index, const Error& error) {
  if (!index) {
    FailEnvironment("", Error(base::ErrorCode::kPeerGone,
                              fmt::format("the host's agent ended unexpectedly: {}", error.ToString())));
    return;
  }
  auto& state = nodes_[*index];
  if (ending_) return;
  if (state.replacing && (!state.replacing->ended || state.exited)) {
    state.replacing->container_lost = true;
    state.exited = true;
    if (!state.replacing->ended) OnEnded(*index);
    return;
  }
  if (!state.exited && !MovesOut(*index, "the one that it had is ending too")) FailNode(*index, ContainerLost{});
}

void Session::Impl::OnOutOfMemory(const std::string& container) {
  if (ending_) return;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    auto& state = nodes_[i];
    if (!state.watch || state.watch->container() != container || state.exited) continue;
    if (std::exchange(state.warned_of_limits, true)) continue;  // the summary has the figures at the end
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

auto Session::Impl::RestartedConsumersOf(std::size_t index) const -> std::vector<std::string> {
  std::vector<std::string> consumers;
  for (const auto output : nodes_[index].node->outputs) {
    for (const auto edge : options_.plan.outputs[output].edges) {
      const auto& consumer = nodes_[wiring_.consumer_of(edge)];
      if (options_.plan.edges[edge].policy == manifest::Policy::kFail && consumer.replacing)
        consumers.push_back(consumer.node->id);
    }
  }
  return consumers;
}

void Session::Impl::FailNode(std::size_t index, const End& end) {
  if (ending_) return;
  const auto evidence = EvidenceOf(index);
  auto failure = FailureOf(*nodes_[index].node, end, evidence);
  if (const auto* failed = std::get_if<worker::Failed>(&end);
      failed != nullptr && failed->phase == worker::kOverflowPhase) {
    for (const auto& consumer : RestartedConsumersOf(index))
      failure.sentence += fmt::format("; its consumer, node '{}', was being restarted", consumer);
    return Fail(std::move(failure));
  }
  const bool is_unexplained = IsUnexplained(end, evidence);
  if (MayRestart(index, end)) {
    const auto accusation = Accuse(index, failure);
    if (const auto delay = DelayBeforeRestart(index, accusation)) {
      Restart(index, failure, *delay, std::holds_alternative<ContainerLost>(end));
      if (is_unexplained) AwaitDetail(index, end);
      return;
    }
    const auto& state = nodes_[index];
    const auto window = Seconds(state.node->restart->window);
    failure.sentence +=
        accusation == Accusation::kConvicted
            ? fmt::format("; it had failed at {} within {:g} s, as many as its retry puts into quarantine",
                          base::Count(state.quarantines->spent(), "message"), window)
            : fmt::format("; it had been restarted {} within {:g} s, as often as its retry allows",
                          base::Count(state.budget->spent(), "time"), window);
  }
  FailForGood(index, std::move(failure), std::holds_alternative<ContainerLost>(end));
  if (is_unexplained) AwaitDetail(index, end);
}

// Of a failure with which the session goes on only where a container has ended, or may be about to.
void Session::Impl::AwaitDetail(std::size_t index, const End& end) {
  if (options_.events == nullptr) return;
  const auto& state = nodes_[index];
  const bool goes_on = !report_.failure;
  const bool container_lost = std::holds_alternative<ContainerLost>(end);
  const auto* exited = std::get_if<worker::Exited>(&end);
  if (goes_on && !container_lost && (exited == nullptr || exited->signal != SIGTERM)) return;
  errands_.Run("penstock-detail",
               [this, node = state.node, container = state.watch->container(), goes_on,
                container_lost]() -> std::function<void()> {
                 const auto record = options_.events->AwaitEnd(container, base::Deadline::In(kEngineAccountTimeout));
                 const bool engine_lost = options_.events->is_lost();
                 // Without this its agent has ended in order, because the session has.
                 if (!container_lost && !record.signal_asked && !engine_lost) return nullptr;
                 const auto detail = DetailOf(*node, record, engine_lost);
                 if (!detail) return nullptr;
                 if (goes_on) {
                   base::Log(base::LogLevel::kWarning, "{}", *detail);
                 } else {
                   observer_.OnFailureDetail(*detail);
                 }
                 return nullptr;
               });
}

void Session::Impl::Fail(Failure failure) {
  if (ending_) return;
  report_.failure = std::move(failure);
  observer_.OnFailure(*report_.failure);
  Teardown();
}

void Session::Impl::FailEnvironment(const std::string& node, const Error& error) {
  Fail({.node = node, .sentence = error.ToString(), .traceback = {}, .environment = true});
}

void Session::Impl::Teardown() {
  if (ending_) return;
  ending_ = true;
  stop_placing_.request_stop();
  FillReport();  // while the containers' accounts still exist
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    ClearDeadline(i);
    ClearWatch(i);
    const auto& replacing = nodes_[i].replacing;
    if (!replacing) continue;
    loop_->Cancel(replacing->timer);
    if (replacing->settlement) replacing->settlement->Stop();
  }
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
  if (errands_.pending() > 0) return;
  if (ending_) return loop_->Stop();
  if (!std::ranges::all_of(nodes_, [](const NodeState& state) { return state.exited && !state.replacing; })) return;
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
      // A source that is being replaced is told when it starts.
      if (nodes_[i].node->is_source() && !nodes_[i].replacing) SendOrFail(i, worker::Stop{});
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
