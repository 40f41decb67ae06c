// Watchdogs: workers that do not do in time what they have to, in their start or in handling a message.
#include <algorithm>
#include <csignal>

#include "session/handler_watch.h"
#include "session/session_impl.h"
#include "transport/monotonic.h"
#include "transport/output_port.h"

namespace penstock::session {
namespace {

using std::chrono::seconds;

// An interpreter writes down where its threads are in milliseconds, unless it is stopped or stuck in the kernel.
constexpr seconds kDumpGrace{1};
// What the kernel and the agent take to end a worker.
constexpr seconds kKillGrace{15};

// Negative: it has passed.
auto LeftOf(std::chrono::nanoseconds deadline, std::uint64_t since_ns, std::uint64_t now_ns)
    -> std::chrono::nanoseconds {
  return deadline - std::chrono::nanoseconds(now_ns - std::min(since_ns, now_ns));
}

}  // namespace

void Session::Impl::SetDeadline(std::size_t index, std::chrono::nanoseconds delay, std::string what,
                                std::string remedy) {
  ClearDeadline(index);
  nodes_[index].deadline =
      loop_->After(delay, [this, index, delay, what = std::move(what), remedy = std::move(remedy)] {
        nodes_[index].deadline = 0;
        EndOverdue(index, {.what = what, .allowed = delay, .remedy = remedy});
      });
}

void Session::Impl::ClearDeadline(std::size_t index) {
  if (nodes_[index].deadline != 0) loop_->Cancel(nodes_[index].deadline);
  nodes_[index].deadline = 0;
}

// By SIGABRT, upon which an interpreter prints where its threads are; how it ends then is told by its agent.
void Session::Impl::EndOverdue(std::size_t index, Overdue overdue) {
  if (ending_) return;
  auto& state = nodes_[index];
  if (!state.worker || !state.worker->pidfd()) return FailNode(index, overdue);
  state.overdue = std::move(overdue);
  ClearWatch(index);
  KillAfter(index, SIGABRT, {});
  state.deadline = loop_->After(kDumpGrace, [this, index] {
    nodes_[index].deadline = 0;
    KillAfter(index, SIGKILL, kKillGrace);
  });
}

void Session::Impl::KillAfter(std::size_t index, int signal, std::chrono::nanoseconds patience) {
  auto& state = nodes_[index];
  auto& lease = state.lease ? *state.lease : host_agent_->lease();
  // An agent that has gone has ended its workers, and is noticed by itself.
  const auto killed = lease.Kill(index, signal);
  if (!killed && killed.error().code() != base::ErrorCode::kPeerGone)
    return FailEnvironment(state.node->id, killed.error());
  if (patience.count() == 0) return;
  state.deadline = loop_->After(patience, [this, index] {
    auto& stuck = nodes_[index];
    stuck.deadline = 0;
    if (const auto overdue = std::exchange(stuck.overdue, std::nullopt))
      return Fail(FailureOf(*stuck.node, *overdue, EvidenceOf(index)));
    FailEnvironment(stuck.node->id,
                    base::Error(base::ErrorCode::kDeadline,
                                fmt::format("node '{}' has failed and could not be ended: its process is stuck, or "
                                            "serves other sessions that go on",
                                            stuck.node->id)));
  });
}

void Session::Impl::WatchHandler(std::size_t index) {
  auto& state = nodes_[index];
  if (!state.node->process_timeout) return;
  LookAtHandler(index);
}

void Session::Impl::ClearWatch(std::size_t index) {
  auto& watchdog = nodes_[index].watchdog;
  if (watchdog != 0) loop_->Cancel(watchdog);
  watchdog = 0;
}

void Session::Impl::LookAtHandler(std::size_t index) {
  auto& state = nodes_[index];
  state.watchdog = 0;
  if (ending_ || state.exited || state.replacing) return;
  const auto again = [&](std::chrono::nanoseconds delay) {
    state.watchdog = loop_->After(delay, [this, index] { LookAtHandler(index); });
  };
  const auto reading = HandlerOf(View(), index);
  const auto timeout = *state.node->process_timeout;
  const auto found = session::LookAtHandler(timeout, {.now_ns = reading.now_ns,
                                                      .since_ns = reading.since_ns,
                                                      .blocked_ns = reading.blocked_ns,
                                                      .waiting_since_ns = reading.waiting_since_ns});
  if (const auto* delay = std::get_if<ReadAgain>(&found)) return again(*delay);
  if (const auto* waits = std::get_if<HandlerWaits>(&found)) {
    if (std::exchange(state.waits_seen, reading.since_ns) != reading.since_ns)
      TellOfWait(index, reading.waits_at.front());
    return again(waits->again);
  }
  EndOverdue(index, {.what = fmt::format("handle message {} of edge {}", reading.sequence,
                                         options_.plan.edges[reading.edge].id),
                     .allowed = timeout,
                     .remedy = "raise its process_timeout if it needs longer",
                     .while_running = true});
}

// Once for each edge: a consumer that is only slow would be told of at every message. The summary has the number.
void Session::Impl::TellOfWait(std::size_t index, std::size_t edge) {
  if (nodes_[index].waits[edge]++ != 0) return;
  base::Log(base::LogLevel::kWarning,
            "node '{}' cannot send: edge {} has no room, as node '{}' has not handled what it was sent",
            nodes_[index].node->id, options_.plan.edges[edge].id, options_.plan.edges[edge].to.node);
}

// A reading at the end of the deadline, and at the end of what is then left of it: a wait is found at its very
// deadline.
void Session::Impl::WatchRoom(std::size_t edge) {
  const auto& deadline = options_.plan.edges[edge].deadline;
  if (!deadline || ending_) return;
  const auto found = WhoHoldsUp(edge);
  if (found.edge) {
    const auto& held_up = options_.plan.edges[edge].id;
    const auto& id = options_.plan.edges[*found.edge].id;
    const auto& producer = nodes_[wiring_.producer_of(options_.plan.edges[*found.edge].output)];
    const bool settles = producer.replacing != nullptr;
    const auto what = settles ? fmt::format("handle what node '{}', which is {} then, had sent on edge {}",
                                            producer.node->id, producer.left_out ? "left out" : "restarted", id)
                              : fmt::format("make room on edge {}", id);
    EndOverdue(wiring_.consumer_of(*found.edge),
               {.what = what + (*found.edge == edge ? "" : fmt::format(", which holds up edge {},", held_up)),
                .allowed = *deadline,
                .remedy = fmt::format("raise the deadline of edge {}{} if it needs longer", held_up,
                                      settles ? "" : ", or its depth,"),
                .while_running = true});
  }
  loop_->After(found.again, [this, edge] { WatchRoom(edge); });
}

// Since when the edge's producer waits for its consumer, 0: not now. One that is being replaced waits until what it had
// sent is handled: for the message that its consumer has in hands, or for it to go on.
auto Session::Impl::WaitsSince(std::size_t edge) -> std::uint64_t {
  const auto& block = *wiring_.edge(edge).operator->();
  auto& producer = nodes_[wiring_.producer_of(options_.plan.edges[edge].output)];
  if (!producer.replacing) return producer.exited ? 0 : block.waiting_since_ns.load(std::memory_order_acquire);
  auto& replacing = *producer.replacing;
  if (!replacing.settlement || replacing.settled || !replacing.settlement->IsAwaitedAt(edge)) return 0;
  const auto handler = HandlerOf(View(), wiring_.consumer_of(edge));
  if (handler.since_ns != 0) return std::max(handler.since_ns, replacing.settling_since_ns);
  const auto acked = block.acked.load(std::memory_order_acquire);
  auto& progress = replacing.progress[edge];
  if (progress.since_ns == 0 || progress.acked != acked) progress = {.acked = acked, .since_ns = handler.now_ns};
  return progress.since_ns;
}

// Of a node that is being replaced: the edge that has held this up for too long, or when one will have.
auto Session::Impl::WhoHoldsUpTheRestartOf(std::size_t index, std::chrono::nanoseconds deadline) -> HeldUp {
  const auto now = static_cast<std::uint64_t>(transport::MonotonicNow());
  HeldUp found{.edge = std::nullopt, .again = deadline};
  for (const auto output : nodes_[index].node->outputs) {
    for (const auto edge : options_.plan.outputs[output].edges) {
      const auto since = WaitsSince(edge);
      if (since == 0) continue;
      const auto left = LeftOf(deadline, since, now);
      if (left.count() <= 0) return {.edge = edge, .again = deadline};
      found.again = std::min(found.again, left);
    }
  }
  return found;
}

// From consumer to consumer, as long as each has itself waited for room, and does so until that is too long.
auto Session::Impl::WhoHoldsUp(std::size_t edge) -> HeldUp {
  const std::chrono::nanoseconds deadline = *options_.plan.edges[edge].deadline;
  const auto now = static_cast<std::uint64_t>(transport::MonotonicNow());
  const HeldUp nobody{.edge = std::nullopt, .again = deadline};
  const auto left_of = [&](std::uint64_t since) { return LeftOf(deadline, since, now); };
  std::vector<bool> seen(nodes_.size());
  for (;;) {
    const auto index = wiring_.consumer_of(edge);
    const auto& consumer = nodes_[index];
    const auto waiting_since = WaitsSince(edge);
    if (waiting_since == 0 || consumer.overdue) return nobody;
    if (consumer.replacing) {
      const auto stuck = WhoHoldsUpTheRestartOf(index, deadline);
      if (!stuck.edge || seen[index]) return {.edge = std::nullopt, .again = stuck.again};
      seen[index] = true;
      edge = *stuck.edge;
      continue;
    }
    if (consumer.exited) return nobody;
    // A worker is not late with what the one before it has left undone.
    const auto left = left_of(std::max(waiting_since, consumer.running_since_ns));
    if (left.count() > 0) return {.edge = std::nullopt, .again = left};
    if (AwaitsInput(View(), index)) {
      TellOfJoin(edge);
      return nobody;
    }
    const auto waits_at = HandlerOf(View(), index).waits_at;
    // Whoever has waited for most of the time is no culprit: how long it waits in the end is seen when it is looked at.
    auto next = std::ranges::find_if(waits_at, [&](std::size_t other) {
      return WaitsSince(other) != 0 && left_of(WaitsSince(other)) <= deadline / 2;
    });
    // A predecessor has held it up, too, and may have left room for one message when it ended.
    if (next == waits_at.end()) {
      next = std::ranges::find_if(waits_at, [&](std::size_t other) {
        const auto& held_up_by = nodes_[wiring_.consumer_of(other)];
        return WaitsSince(other) != 0 &&
               (held_up_by.replacing || held_up_by.overdue || left_of(held_up_by.running_since_ns).count() > 0);
      });
    }
    if (next == waits_at.end() || seen[index]) return {.edge = edge, .again = deadline};
    seen[index] = true;
    edge = *next;
  }
}

// It does what it is told to: which input it lacks, and why, nobody here can know.
void Session::Impl::TellOfJoin(std::size_t edge) {
  auto& state = nodes_[wiring_.consumer_of(edge)];
  if (std::exchange(state.join_told, true)) return;
  base::Log(base::LogLevel::kWarning,
            "edge {} has no room, as node '{}' waits for a message of another input to join: if both come from one "
            "node, raise the depth of the edge",
            options_.plan.edges[edge].id, state.node->id);
}

}  // namespace penstock::session
