// Serves leases: starts workers on request, says how they ended, and leaves nothing behind when a lease closes.
//
// One thread, one epoll loop. It must stay single-threaded: it forks.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/packet_socket.h"
#include "worker/agent/keeper.h"
#include "worker/protocol.h"

namespace penstock::worker::agent {

class Agent final {
 public:
  struct Listening {
    base::UniqueFd listener;
    /// Who may take a lease: the user at the other end of the bootstrap socket. Where the engine maps user ids, every
    /// unmapped user looks like the overflow id; then the listener's place in a 0700 directory is what protects it.
    uid_t owner = 0;
  };

  /// Blocks the signals that it handles and becomes subreaper.
  static auto Create() -> base::Expected<std::unique_ptr<Agent>>;

  /// A container's agent: any number of leases, until none was there for as long as any of them asked it to stay (30 s
  /// for the first one to come).
  auto Listen(Listening listening) -> base::Status;
  /// The host's agent: this one lease, then the end.
  auto ServeOnly(base::PacketSocket lease) -> base::Status;

  /// Returns when the last lease and the last worker are gone, or after SIGTERM, which is passed on to all workers
  /// (a second one kills them).
  void Run();

 private:
  using LeaseId = std::uint64_t;
  using KeeperId = std::uint64_t;

  struct Outgoing {
    FromAgent message;
    base::UniqueFd fd;
  };
  // Where a lease's worker is.
  struct Place {
    KeeperId keeper = 0;
    std::optional<std::uint64_t> number;  // of the session in its process; none: it waits for the process to decide
  };
  struct LeaseState {
    base::PacketSocket socket;
    std::optional<Lease> granted;
    std::map<std::uint64_t, Place> workers;  // by the runtime's id
    std::deque<Outgoing> outgoing;           // while the runtime does not read
    std::uint32_t watched_events = 0x001;    // EPOLLIN
  };
  struct Guest {
    LeaseId lease = 0;
    std::uint64_t id = 0;
    bool ending = false;  // it was asked to go
    std::optional<int>
        left{};  // it has, with this code, and is told when the process that it holds memory in has ended
  };
  struct Waiting {
    LeaseId lease = 0;
    Received<ToAgent> request;
    std::set<std::uint64_t> behind{};  // sessions that were being ended when it came: it follows them
  };
  struct ToldHosted {
    ToHosted message;
    std::vector<base::UniqueFd> fds;
  };
  // What a worker has that may serve, or serves, several sessions: see hosting.cpp.
  struct Hosting {
    std::string key;
    base::PacketSocket link;
    bool shared = false;   // it has said so
    bool retired = false;  // somebody is stuck in it, or has left something: no further session comes
    std::map<std::uint64_t, Guest> guests;
    std::uint64_t next_number = 1;
    std::deque<Waiting> waiting;
    std::deque<ToldHosted> outgoing;       // while the process does not read
    std::uint32_t watched_events = 0x001;  // EPOLLIN
  };
  struct WorkerState {
    LeaseId lease = 0;
    Spawn spawn;  // without descriptors: for its id and for messages to people
    pid_t keeper = 0;
    base::PacketSocket lifeline;
    base::UniqueFd pidfd;            // from kStarted on
    std::vector<int> early_signals;  // asked for before that
    bool reported = false;           // its end, or why it did not start
    pid_t pid = 0;                   // from kStarted on
    std::unique_ptr<Hosting> hosting;
  };

  explicit Agent(std::unique_ptr<base::EventLoop> loop, base::UniqueFd signals);

  void OnSignals();
  void OnTerminate();
  void ReapChildren();
  void KillStrays();

  void Accept();
  void AddLease(base::PacketSocket socket);
  void OnLeaseReadable(LeaseId id);
  void HandleRequest(LeaseId id, Received<ToAgent> request);
  void GrantOrRefuse(LeaseId id, Lease asked);
  auto SessionsBeside(std::string_view session) const -> std::uint32_t;
  auto StaysFor() const -> std::chrono::nanoseconds;
  void StartWorker(LeaseId id, Received<ToAgent> request);
  void Signal(LeaseId id, const Kill& kill);
  void CloseLease(LeaseId id);

  /// Takes the request unless it must have a process of its own, which it then may have to share (`hosting`).
  auto ShareOrHost(LeaseId id, Received<ToAgent>& request, std::unique_ptr<Hosting>& hosting) -> base::Expected<bool>;
  auto WatchLink(KeeperId id) -> base::Status;
  void OnLink(KeeperId id);
  void HandleHosted(KeeperId id, const FromHosted& message);
  void Violated(KeeperId id, const std::string& how);
  void AdmitWaiting(KeeperId id);
  void Admit(KeeperId id, Waiting waiting);
  void EndGuest(KeeperId id, std::uint64_t number);
  void GuestLeft(KeeperId id, const Left& left);
  /// The key names this process no longer, and it ends with the last session that is not stuck.
  void Retire(KeeperId id);
  void EndIfOnlyStuck(WorkerState& worker);
  void EndPlace(LeaseId lease, std::uint64_t worker, const Place& place);
  /// The key names this process no longer; what waited for it starts anew.
  void Disown(WorkerState& worker);
  void StartAnew(std::deque<Waiting> again);
  void EndIdleHosts();
  void TellHosted(KeeperId id, ToHosted message, std::vector<base::UniqueFd> fds);
  void FlushLink(KeeperId id);

  void OnReport(KeeperId id);
  void Started(WorkerState& worker, ReceivedReport report);
  void Ended(WorkerState& worker, const KeeperReport& report);
  void TellExited(LeaseId lease, Exited exited);
  void DropWorker(KeeperId id);
  static void SignalWorker(const WorkerState& worker, int signal);

  void Tell(LeaseId id, FromAgent message, base::UniqueFd fd = {});
  void Flush(LeaseId id);
  static auto MayWrite(const base::PacketSocket& socket) -> bool;

  void ArmExpiry(std::chrono::nanoseconds after);
  void DisarmExpiry();
  void Expire();
  void CloseListener();
  void StopWhenDone();

  std::unique_ptr<base::EventLoop> loop_;
  base::UniqueFd signals_;
  base::UniqueFd listener_;
  uid_t owner_ = 0;
  int domain_ = 0;  // of workers, which are strangers to each other in a container; the host's are its user's own
  std::optional<base::EventLoop::TimerId> expiry_;
  base::Deadline::Clock::time_point stay_until_{};  // the latest that a closed lease asked for

  std::map<LeaseId, LeaseState> leases_;
  std::map<KeeperId, WorkerState> workers_;
  std::map<std::string, KeeperId> hosts_;  // by key: the process that serves it or may come to
  std::set<std::string> own_;              // keys whose nodes want a process each
  std::uint64_t next_id_ = 1;
  bool ending_ = false;       // no new lease; stop when the last one and the last worker are gone
  bool terminating_ = false;  // SIGTERM came: stop when the last worker is gone, leases or not
  bool hunting_ = false;      // a keeper was killed: what it kept is ours to end
};

}  // namespace penstock::worker::agent
