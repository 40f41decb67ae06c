// The session itself. Its members are in six files, by what they do: session.cpp starts, session_watch.cpp has an eye
// on who is late, session_quarantine.cpp on what is tried too often, session_restart.cpp replaces workers that failed,
// session_skip.cpp goes on without them, session_end.cpp ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "container/host_agent.h"
#include "session/account.h"
#include "session/barrier.h"
#include "session/control.h"
#include "session/errands.h"
#include "session/memory_grants.h"
#include "session/node_state.h"
#include "session/placer.h"
#include "session/realm_numbers.h"
#include "session/session.h"
#include "session/session_log.h"

namespace penstock::session {

/// Everything but Stop, Kill and Note happens on the session's loop.
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
  /// The node's place is its own from now on. False when the session is ending, or has failed for it.
  auto MoveIn(std::size_t index, Placed placed) -> bool;
  void OnAllPlaced();
  auto ServeLease(container::AgentLease& lease, std::optional<std::size_t> index) -> base::Status;
  void StartWorker(std::size_t index);
  void OnMessage(std::size_t index, worker::Received<worker::FromWorker> received);
  void OnProtocolError(std::size_t index, const base::Error& error);
  void OnHello(std::size_t index, const worker::Hello& hello);
  void Configure(std::size_t index);
  auto MemoryHandlers() -> MemoryGrants::Handlers;
  void Execute(const std::vector<AttachBarrier::Command>& commands);
  void StartIfAllReady();
  /// The node's stream starts.
  void Begin(std::size_t index);

  /// Whether a failure of this kind is one that a restart may mend.
  auto MayRestart(std::size_t index, const End& end) const -> bool;
  void Restart(std::size_t index, const Failure& failure, std::chrono::nanoseconds delay, bool container_lost);
  /// Gives up the node's place for a new worker, or for none. Its old worker has ended, or is about to.
  auto Replace(std::size_t index, bool container_lost) -> Replacement&;
  /// Sees to it that the old worker ends.
  void EndOld(std::size_t index);
  enum class Accusation { kNone, kFirst, kAgain, kConvicted };
  /// Counts a failure against the message that the node had in hands; kConvicted when that was its last attempt.
  auto Accuse(std::size_t index, const Failure& failure) -> Accusation;
  /// nullopt: the node has been restarted as often as it may.
  auto DelayBeforeRestart(std::size_t index, Accusation accusation) -> std::optional<std::chrono::nanoseconds>;
  /// Has the worker that is configured hand over the message that has had its last attempt, if there is one. Returns
  /// the descriptor that goes with `configure`.
  auto OpenQuarantine(std::size_t index, worker::Configure& configure) -> base::Expected<base::UniqueFd>;
  void OnKept(std::size_t index, const observe::Quarantined& entry, const base::Expected<bool>& kept);
  /// The old worker is gone.
  void OnEnded(std::size_t index);
  void ClearPlace(std::size_t index);
  auto WaitsSince(std::size_t edge) -> std::uint64_t;
  void OnSettled(std::size_t index, const std::shared_ptr<Settlement>& settlement, const base::Status& how);
  auto AwaitedConsumersOf(std::size_t index) const -> std::vector<Settlement::Awaited>;
  /// Starts the new worker if everything before it is done.
  void Proceed(std::size_t index);
  /// Whether the new worker, of which nothing has been heard, goes to another container because it cannot be started
  /// in that of the old one; once a restart.
  auto MovesOut(std::size_t index, std::string_view why) -> bool;
  void PlaceAgain(std::size_t index);
  /// Lets go of the node's container.
  void FreePlace(std::size_t index);
  void OnPlacedAgain(std::size_t index, base::Expected<Placed> placed);
  /// Has the producers of a node that attached to them while they run deliver what it missed.
  void AnnounceAttached(std::size_t index);
  void TellWhoIsGone(std::size_t index);
  void StartIfReplaced(std::size_t index);

  /// A failure that no restart is going to mend: the session goes on without the node if that was asked for, or fails.
  void FailForGood(std::size_t index, Failure failure, bool container_lost = false);
  void LeaveOut(std::size_t index, const Failure& failure, bool container_lost);
  /// What it left is cleared: its streams have ended.
  void OnLeftOut(std::size_t index);

  /// Whoever waits for this node to take what was sent to it must not.
  void NoLongerConsumes(std::size_t index);

  void OnDied(std::size_t index);
  void OnHungUp(std::size_t index);
  void OnExited(std::size_t index, const worker::Exited& exited);
  void OnLeaseLost(std::optional<std::size_t> index, const base::Error& error);
  void OnOutOfMemory(const std::string& container);
  void OnEngineLost(const base::Status& how);
  auto View() -> SessionView;
  auto EvidenceOf(std::size_t index) -> Evidence { return session::EvidenceOf(View(), index); }
  void FailNode(std::size_t index, const End& end);
  /// Of its edges that are to fail when they are full: consumers that are being replaced.
  auto RestartedConsumersOf(std::size_t index) const -> std::vector<std::string>;
  /// Adds what the engine says about the end to a failure that has been told.
  void AwaitDetail(std::size_t index, const End& end);
  void SendOrFail(std::size_t index, const worker::ToWorker& message);

  /// Fails the session unless cleared: "node 'x' did not {what} within … s; {remedy}".
  void SetDeadline(std::size_t index, std::chrono::nanoseconds delay, std::string what, std::string remedy);
  void ClearDeadline(std::size_t index);
  /// Ends a worker that is late, having it say where it is, and fails the node.
  void EndOverdue(std::size_t index, Overdue overdue);
  /// Sends `signal`; when the worker has not ended after `patience` (0: forever), fails the session.
  void KillAfter(std::size_t index, int signal, std::chrono::nanoseconds patience);
  /// Watches how long the node's handler takes, if that is limited.
  void WatchHandler(std::size_t index);
  void LookAtHandler(std::size_t index);
  void ClearWatch(std::size_t index);
  /// The node's handler waits for room on `edge` beyond its own time.
  void TellOfWait(std::size_t index, std::size_t edge);
  /// Watches how long the producer of an edge waits for room on it, if that is limited.
  void WatchRoom(std::size_t edge);
  /// Whose consumer holds up the producer of `edge`, maybe by way of others that have waited as long.
  struct HeldUp {
    std::optional<std::size_t> edge;    // nullopt: nobody is to blame, or not yet
    std::chrono::nanoseconds again{0};  // when to look again
  };
  auto WhoHoldsUp(std::size_t edge) -> HeldUp;
  auto WhoHoldsUpTheRestartOf(std::size_t index, std::chrono::nanoseconds deadline) -> HeldUp;
  void TellOfJoin(std::size_t edge);
  void Fail(Failure failure);
  /// `node`: empty for the session itself.
  void FailEnvironment(const std::string& node, const base::Error& error);
  void Teardown();
  void EndIfAllDone();
  /// Says for whom the end is still waiting, unless it comes within `patience`.
  void NameTheBusyAfter(std::chrono::seconds patience);
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
  std::shared_ptr<Placer> placer_;
  Errands errands_;  // done before containers are removed
  std::size_t being_placed_ = 0;
  std::size_t greeted_ = 0;
  base::EventLoop::TimerId start_deadline_ = 0;
  bool started_ = false;
  bool stopping_ = false;  // the sources were told to end
  bool ending_ = false;
  std::chrono::steady_clock::time_point began_;
  std::uint64_t oom_kills_before_ = 0;  // on this host
  std::minstd_rand random_{std::random_device{}()};
  Report report_;
  container::EventLedger::Subscription events_;
};

}  // namespace penstock::session
