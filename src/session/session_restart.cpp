// How a worker that failed is replaced, in its container or in a new one, while the session goes on.
//
// The old worker ends; what it left in shared memory is cleared, for which its consumers first handle what they have of
// it; meanwhile the backoff passes and a new worker starts, which opens its ports once all that is done. Its producers
// then deliver again what was not acknowledged, and what it had sent already is not sent twice (nodes/host.h).
#include <csignal>

#include "session/session_impl.h"
#include "transport/monotonic.h"

namespace penstock::session {
namespace {

using std::chrono::seconds;

// An interpreter that has said why it fails ends within milliseconds, unless the node's own threads keep it.
constexpr seconds kExitGrace{2};
// What the kernel and the agent take to end a worker.
constexpr seconds kKillGrace{15};
constexpr seconds kReleaseTimeout{10};

// Failures of the node's own code before it handles anything come again however often it is started, and an edge that
// was to fail when it is full has failed.
auto ComesAgain(const worker::Failed& failed) -> bool {
  return failed.phase != "process" && failed.phase != "finish" && failed.phase != "ports";
}

// The same for a worker that ends in its start, unless somebody else ended it.
auto IsFromOutside(const worker::Exited& exited) -> bool {
  return exited.signal == SIGKILL || exited.signal == SIGTERM;
}

}  // namespace

auto Session::Impl::MayRestart(std::size_t index, const End& end) const -> bool {
  if (!nodes_[index].budget || !started_ || nodes_[index].left_out) return false;
  if (const auto* failed = std::get_if<worker::Failed>(&end)) return !ComesAgain(*failed);
  if (const auto* exited = std::get_if<worker::Exited>(&end)) return !nodes_[index].replacing || IsFromOutside(*exited);
  const auto* overdue = std::get_if<Overdue>(&end);
  return overdue == nullptr || overdue->while_running;
}

void Session::Impl::Restart(std::size_t index, const Failure& failure, std::chrono::nanoseconds delay,
                            bool container_lost) {
  auto& state = nodes_[index];
  ++state.restarts;
  observer_.OnRestart({.failure = failure, .restart = state.restarts, .after = delay});
  barrier_.Replaced(index);
  Replace(index, container_lost).timer = loop_->After(delay, [this, index] {
    nodes_[index].replacing->timer = 0;
    nodes_[index].replacing->may_start = true;
    Proceed(index);
  });
  EndOld(index);
}

auto Session::Impl::Replace(std::size_t index, bool container_lost) -> Replacement& {
  auto& state = nodes_[index];
  state.overdue.reset();
  ClearDeadline(index);
  ClearWatch(index);
  memory_.Forget(index);
  NoLongerConsumes(index);
  state.finished = false;
  auto replacing = std::make_unique<Replacement>();
  if (state.replacing && !state.replacing->settled) {
    replacing->settlement = state.replacing->settlement;
    replacing->settling_since_ns = state.replacing->settling_since_ns;
  }
  if (state.replacing) loop_->Cancel(state.replacing->timer);
  replacing->container_lost = container_lost;
  if (container_lost) state.exited = true;
  state.replacing = std::move(replacing);
  return *state.replacing;
}

void Session::Impl::EndOld(std::size_t index) {
  auto& state = nodes_[index];
  if (state.exited) return OnEnded(index);
  state.deadline = loop_->After(kExitGrace, [this, index] {
    nodes_[index].deadline = 0;
    KillAfter(index, SIGKILL, kKillGrace);
  });
}

void Session::Impl::NoLongerConsumes(std::size_t index) {
  for (const auto& other : nodes_) {
    if (other.replacing && other.replacing->settlement) other.replacing->settlement->Gone(index);
  }
}

void Session::Impl::OnEnded(std::size_t index) {
  ClearDeadline(index);
  nodes_[index].replacing->ended = true;
  // Posted: this may run inside a handler of what is let go of here.
  loop_->Post([this, index] {
    if (!ending_) ClearPlace(index);
  });
}

void Session::Impl::ClearPlace(std::size_t index) {
  auto& state = nodes_[index];
  if (!state.worker) return;
  if (state.keeps) {
    return Fail({.node = state.node->id,
                 .sentence = fmt::format("node '{}' cannot be {}: it keeps messages, or arrays in their memory, "
                                         "in the process that it shares with other sessions (in what `load` gave, or "
                                         "in a global); have it keep copies",
                                         state.node->id, state.left_out ? "left out" : "restarted"),
                 .traceback = {}});
  }
  auto& replacing = *state.replacing;
  // Who was killed is told so when it is about to end, too: with its container, or with its keeper.
  base::UniqueFd dying;
  if ((replacing.container_lost || state.killed) && state.worker->pidfd()) {
    auto copy = state.worker->pidfd().Duplicate();
    if (!copy) return FailEnvironment(state.node->id, copy.error());
    dying = std::move(*copy);
  }
  state.worker->DrainOutput();
  state.worker.reset();
  state.dump = {};
  // What it met counts for its own end, not for that of its successor.
  if (state.container && !replacing.container_lost) state.watch.emplace(state.container->id(), options_.events);
  if (!replacing.settlement) {
    replacing.settling_since_ns = static_cast<std::uint64_t>(transport::MonotonicNow());
    replacing.settlement =
        std::make_shared<Settlement>(options_.plan, wiring_, index, AwaitedConsumersOf(index), std::move(dying));
    errands_.Run("penstock-settle", [this, index, settlement = replacing.settlement]() -> std::function<void()> {
      const auto how = settlement->Run([&](const std::string& edges) {
        base::Log(base::LogLevel::kWarning,
                  "node '{}' is {} when what it had sent is handled: still waiting at edges {}", nodes_[index].node->id,
                  nodes_[index].left_out ? "left out" : "restarted", edges);
      });
      return [this, index, settlement, how] { OnSettled(index, settlement, how); };
    });
  }
  Proceed(index);
}

// Those that will certainly handle what they have. One that is replaced itself, or that attached to the dead worker too
// late to get its history, has lost with it what only the two of them held; it will count that.
auto Session::Impl::AwaitedConsumersOf(std::size_t index) const -> std::vector<Settlement::Awaited> {
  std::vector<Settlement::Awaited> awaited;
  for (const auto output : nodes_[index].node->outputs) {
    for (const auto edge : options_.plan.outputs[output].edges) {
      const auto consumer = wiring_.consumer_of(edge);
      const auto& state = nodes_[consumer];
      if (MayDrop(options_.plan.edges[edge].policy)) continue;
      if (state.exited || state.replacing || !barrier_.reads(consumer)) continue;
      const auto attached = state.refreshed.find(edge);
      const auto before = attached == state.refreshed.end() ? 0 : attached->second;
      if (wiring_.edge(edge)->refreshed.load() > before) awaited.push_back({.edge = edge, .consumer = consumer});
    }
  }
  return awaited;
}

void Session::Impl::OnSettled(std::size_t index, const std::shared_ptr<Settlement>& settlement,
                              const base::Status& how) {
  if (ending_) return;
  auto& replacing = nodes_[index].replacing;
  if (!replacing || replacing->settlement != settlement) return;
  if (!how) return FailEnvironment(nodes_[index].node->id, how.error());
  replacing->settled = true;
  if (nodes_[index].left_out) return Proceed(index);
  if (replacing->greeted) Configure(index);
}

void Session::Impl::Proceed(std::size_t index) {
  auto& state = nodes_[index];
  if (state.left_out) {
    if (!ending_ && state.replacing->ended && state.replacing->settled && !state.worker) OnLeftOut(index);
    return;
  }
  if (ending_ || !state.replacing->ended || !state.replacing->may_start || state.worker) return;
  if (state.replacing->container_lost) return PlaceAgain(index);
  StartWorker(index);
}

// Of a container that is stopped its workers are told to end first: that is one end, however soon the next one begins.
auto Session::Impl::MovesOut(std::size_t index, std::string_view why) -> bool {
  auto& state = nodes_[index];
  if (!state.container || !state.replacing || state.replacing->greeted || state.replacing->moved) return false;
  if (!ending_ && !state.left_out)
    base::Log(base::LogLevel::kWarning, "node '{}' is started in another container: {}", state.node->id, why);
  state.replacing->moved = true;
  state.replacing->container_lost = true;
  state.exited = true;
  OnEnded(index);
  return true;
}

void Session::Impl::PlaceAgain(std::size_t index) {
  auto& state = nodes_[index];
  state.replacing->may_start = false;  // until it is placed
  state.watch.reset();
  FreePlace(index);
  errands_.Run("penstock-place", [this, index]() -> std::function<void()> {
    auto placed = std::make_shared<base::Expected<Placed>>(placer_->Place(options_.plan, *nodes_[index].node));
    return [this, index, placed] { OnPlacedAgain(index, std::move(*placed)); };
  });
}

void Session::Impl::FreePlace(std::size_t index) {
  auto& state = nodes_[index];
  state.lease.reset();
  if (!state.container) return;
  auto old = std::make_shared<container::Container>(std::move(*state.container));
  state.container.reset();
  errands_.Run("penstock-free", [this, index, old]() -> std::function<void()> {
    if (const auto released = old->Release(docker::Call(base::Deadline::In(kReleaseTimeout))); !released) {
      base::Log(base::LogLevel::kWarning, "the container that node '{}' had could not be removed: {}",
                nodes_[index].node->id, released.error().ToString());
    }
    return nullptr;
  });
}

void Session::Impl::OnPlacedAgain(std::size_t index, base::Expected<Placed> placed) {
  auto& state = nodes_[index];
  if (!placed) {
    if (ending_) return;
    return FailForGood(
        index, {.node = state.node->id, .sentence = placed.error().ToString(), .traceback = {}, .environment = true});
  }
  if (!MoveIn(index, std::move(*placed))) return;
  state.replacing->container_lost = false;
  state.replacing->may_start = true;
  Proceed(index);
}

void Session::Impl::AnnounceAttached(std::size_t index) {
  if (!started_) return;
  for (const auto edge : nodes_[index].node->inputs) {
    nodes_[index].refreshed[edge] = wiring_.edge(edge)->refreshed.load();
    const auto producer = wiring_.producer_of(options_.plan.edges[edge].output);
    // One that has still to connect delivers then; one that has ended had everything acknowledged.
    if (nodes_[producer].exited || !barrier_.connects(producer)) continue;
    SendOrFail(producer, worker::Peer{.edge = options_.plan.edges[edge].id, .state = worker::Peer::State::kAttached});
  }
}

void Session::Impl::TellWhoIsGone(std::size_t index) {
  for (const auto output : nodes_[index].node->outputs) {
    for (const auto edge : options_.plan.outputs[output].edges) {
      const auto& consumer = nodes_[wiring_.consumer_of(edge)];
      if (!consumer.left_out && (!consumer.exited || consumer.replacing)) continue;
      SendOrFail(index, worker::Peer{.edge = options_.plan.edges[edge].id, .state = worker::Peer::State::kGone});
    }
  }
}

void Session::Impl::StartIfReplaced(std::size_t index) {
  auto& state = nodes_[index];
  if (!started_ || ending_ || !state.replacing || !barrier_.Passed(index)) return;
  state.replacing.reset();
  Begin(index);
  if (stopping_ && state.node->is_source()) SendOrFail(index, worker::Stop{});
  observer_.OnProgress(fmt::format("node runs again after restart {}", state.restarts), state.node->id);
}

}  // namespace penstock::session
