#include "worker/agent/agent.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>

#include "base/log.h"
#include "worker/agent/domain.h"
#include "worker/agent/full_storage.h"
#include "worker/agent/image_libc.h"
#include "worker/agent/process_tree.h"

namespace penstock::worker::agent {
namespace {
using base::Log;
using base::LogLevel;

constexpr std::chrono::seconds kFirstLease{30};
// More cannot be added to a time point without overflow, and nobody waits for it.
constexpr std::chrono::milliseconds kLongestStay = std::chrono::years(10);

}  // namespace

auto Agent::Create() -> base::Expected<std::unique_ptr<Agent>> {
  PENSTOCK_TRY(Children().map([](const auto&) {}));
  base::RaiseDescriptorLimit();
  // Workers of the same user could otherwise trace the agent and use its leases.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER,
          1);  // for what a killed keeper leaves behind; the first process of a container is one anyway
  // A terminal's Ctrl-C and hang-up are the runtime's business; the lease tells when it is over.
  sigset_t blocked;
  ::sigfillset(&blocked);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
  sigset_t handled;
  ::sigemptyset(&handled);
  ::sigaddset(&handled, SIGCHLD);
  ::sigaddset(&handled, SIGTERM);
  base::UniqueFd signals(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return base::SystemError("create a signalfd");
  PENSTOCK_ASSIGN(auto loop, base::EventLoop::Create());
  std::unique_ptr<Agent> agent(new Agent(std::move(loop), std::move(signals)));
  PENSTOCK_TRY(
      agent->loop_->Watch(agent->signals_.get(), EPOLLIN, [self = agent.get()](std::uint32_t) { self->OnSignals(); }));
  return agent;
}

Agent::Agent(std::unique_ptr<base::EventLoop> loop, base::UniqueFd signals)
    : loop_(std::move(loop)), signals_(std::move(signals)) {}

auto Agent::Listen(Listening listening) -> base::Status {
  listener_ = std::move(listening.listener);
  owner_ = listening.owner;
  domain_ = DomainVersion();
  PENSTOCK_TRY(loop_->Watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { Accept(); }));
  ArmExpiry(kFirstLease);
  return {};
}

auto Agent::ServeOnly(base::PacketSocket lease) -> base::Status {
  AddLease(std::move(lease));
  ending_ = true;
  return {};
}

void Agent::Run() { loop_->Run(); }

// --- signals and children
// -----------------------------------------------------------------------------------------------

void Agent::OnSignals() {
  signalfd_siginfo info{};
  bool terminate = false;
  while (::read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    terminate = terminate || info.ssi_signo == static_cast<std::uint32_t>(SIGTERM);
  }
  ReapChildren();
  if (terminate) OnTerminate();
}

void Agent::OnTerminate() {
  const bool again = std::exchange(terminating_, true);
  CloseListener();
  for (auto& [id, worker] : workers_) {
    if (again) {
      ::shutdown(worker.lifeline.fd().get(), SHUT_WR);
    } else if (worker.pidfd) {
      SignalWorker(worker, SIGTERM);
    } else {
      worker.early_signals.push_back(SIGTERM);
    }
  }
  ending_ = true;
  StopWhenDone();
}

void Agent::ReapChildren() {
  int status = 0;
  while (::waitpid(-1, &status, WNOHANG) > 0) {
    // Only keepers are our children, unless one was killed (or somebody's `docker exec` lost its parent).
    if (WIFSIGNALED(status)) hunting_ = true;
  }
  if (hunting_) KillStrays();
  StopWhenDone();
}

void Agent::KillStrays() {
  const auto children = Children();
  if (!children) return;
  hunting_ = false;
  for (const pid_t child : *children) {
    const bool keeper = std::any_of(workers_.begin(), workers_.end(),
                                    [child](const auto& entry) { return entry.second.keeper == child; });
    if (!keeper && ::kill(child, SIGKILL) == 0) hunting_ = true;
  }
}

// --- leases
// -------------------------------------------------------------------------------------------------------------

void Agent::Accept() {
  auto accepted = base::AcceptPacket(listener_);
  if (!accepted) return;
  const auto peer = accepted->Credentials();
  if (!peer || peer->uid != owner_) {
    Log(LogLevel::kWarning, "penstock-agent: refused a connection of user {}; the lease belongs to user {}",
        peer ? peer->uid : uid_t(-1), owner_);
    return;
  }
  AddLease(std::move(*accepted));
}

void Agent::AddLease(base::PacketSocket socket) {
  const auto id = next_id_++;
  const int fd = socket.fd().get();
  leases_[id].socket = std::move(socket);
  if (const auto watched = loop_->Watch(fd, EPOLLIN, [this, id](std::uint32_t) { OnLeaseReadable(id); }); !watched) {
    Log(LogLevel::kError, "penstock-agent: {}", watched.error().ToString());
    CloseLease(id);
  }
}

void Agent::OnLeaseReadable(LeaseId id) {
  auto packet = leases_.at(id).socket.Receive(base::Deadline::Never());
  if (!packet) return CloseLease(id);
  auto request = ParseToAgent(std::move(*packet));
  if (!request) {
    Log(LogLevel::kError, "penstock-agent: ended a lease: {}", request.error().ToString());
    return CloseLease(id);
  }
  HandleRequest(id, std::move(*request));
}

void Agent::HandleRequest(LeaseId id, Received<ToAgent> request) {
  auto& lease = leases_.at(id);
  if (std::holds_alternative<Ask>(request.message)) {
    return Tell(id, Standing{.sessions = SessionsBeside({}),
                             .stays_ms = std::chrono::ceil<std::chrono::milliseconds>(StaysFor()).count()});
  }
  const bool asks_for_lease = std::holds_alternative<Lease>(request.message);
  if (asks_for_lease == lease.granted.has_value()) {
    Log(LogLevel::kError, "penstock-agent: ended a lease: {}",
        lease.granted ? "it was asked for twice" : "a request came before it was granted");
    return CloseLease(id);
  }
  if (asks_for_lease) return GrantOrRefuse(id, std::move(std::get<Lease>(request.message)));
  if (const auto* kill = std::get_if<Kill>(&request.message)) return Signal(id, *kill);
  StartWorker(id, std::move(request));
}

// Sessions that hold leases, but for `session`, which may hold several.
auto Agent::SessionsBeside(std::string_view session) const -> std::uint32_t {
  std::set<std::string_view> sessions;
  for (const auto& [id, lease] : leases_) {
    if (lease.granted) sessions.insert(lease.granted->session);
  }
  sessions.erase(session);
  return static_cast<std::uint32_t>(sessions.size());
}

auto Agent::StaysFor() const -> std::chrono::nanoseconds {
  return std::max(std::chrono::nanoseconds(0), stay_until_ - base::Deadline::Clock::now());
}

void Agent::GrantOrRefuse(LeaseId id, Lease asked) {
  if (const auto others = SessionsBeside(asked.session); others >= asked.max_sessions) {
    Tell(id, Full{.sessions = others});
    return CloseLease(id);
  }
  utsname names{};
  ::uname(&names);
  leases_.at(id).granted = std::move(asked);
  DisarmExpiry();
  static const auto glibc = ImageGlibcVersion();
  Tell(id, Granted{.agent = PENSTOCK_VERSION,
                   .pid = ::getpid(),
                   .uid = ::getuid(),
                   .architecture = names.machine,
                   .glibc = glibc,
                   .landlock = domain_});
}

void Agent::CloseLease(LeaseId id) {
  auto node = leases_.extract(id);
  if (node.empty()) return;
  auto& lease = node.mapped();
  loop_->Unwatch(lease.socket.fd().get());
  for (const auto& [worker, place] : lease.workers) EndPlace(id, worker, place);
  const bool other_lease =
      std::any_of(leases_.begin(), leases_.end(), [](const auto& entry) { return entry.second.granted.has_value(); });
  if (lease.granted) {
    const auto stay = std::min(std::chrono::milliseconds(lease.granted->keep_warm_ms), kLongestStay);
    stay_until_ = std::max(stay_until_, base::Deadline::Clock::now() + stay);
  }
  if (lease.granted && !other_lease && listener_.valid()) ArmExpiry(StaysFor());
  StopWhenDone();
}

// --- workers
// ------------------------------------------------------------------------------------------------------------

void Agent::StartWorker(LeaseId id, Received<ToAgent> request) {
  auto& lease = leases_.at(id);
  auto& spawn = std::get<Spawn>(request.message);
  auto checked = CheckSpawn(spawn);
  if (checked && lease.workers.contains(spawn.id)) {
    checked = base::Fail(base::ErrorCode::kInvalidArgument, "worker {} of this lease is running already", spawn.id);
  }
  if (checked && terminating_) checked = base::Fail(base::ErrorCode::kCancelled, "the agent was asked to end");
  if (!checked) return Tell(id, SpawnFailed{.id = spawn.id, .error = checked.error().message(), .saved_errno = EINVAL});
  std::unique_ptr<Hosting> hosting;
  const auto taken = ShareOrHost(id, request, hosting);
  if (!taken) return Tell(id, SpawnFailed{.id = spawn.id, .error = taken.error().message(), .saved_errno = EINVAL});
  if (*taken) return;
  auto keeper = StartKeeper(spawn, request.fds, domain_);
  if (!keeper) return Tell(id, SpawnFailed{.id = spawn.id, .error = keeper.error().message(), .saved_errno = EAGAIN});

  const auto key = next_id_++;
  const int lifeline = keeper->lifeline.fd().get();
  lease.workers[spawn.id] = {.keeper = key, .number = 0};
  if (hosting) {
    hosting->guests[0] = {.lease = id, .id = spawn.id};
    hosts_[hosting->key] = key;
  }
  workers_.emplace(key, WorkerState{.lease = id,
                                    .spawn = std::move(spawn),
                                    .keeper = keeper->pid,
                                    .lifeline = std::move(keeper->lifeline),
                                    .pidfd = {},
                                    .early_signals = {},
                                    .reported = false,
                                    .pid = 0,
                                    .hosting = std::move(hosting)});
  auto watched = loop_->Watch(lifeline, EPOLLIN, [this, key](std::uint32_t) { OnReport(key); });
  if (watched) watched = WatchLink(key);
  if (!watched) {
    const auto& failure = watched.error();
    Log(LogLevel::kError, "penstock-agent: {}", failure.ToString());
    const auto worker_id = workers_.at(key).spawn.id;
    lease.workers.erase(worker_id);
    Tell(id, SpawnFailed{.id = worker_id, .error = failure.message(), .saved_errno = EAGAIN});
    DropWorker(key);  // its keeper sees the end of its lifeline and ends what it has started
  }
}

void Agent::OnReport(KeeperId id) {
  auto& worker = workers_.at(id);
  auto received = ReceiveReport(worker.lifeline);
  if (!received) {
    // Without last words the keeper was killed, and the kernel killed its worker.
    if (!worker.reported) Ended(worker, {.kind = KeeperReport::Kind::kEnded, .status = SIGKILL});
    return DropWorker(id);
  }
  switch (received->report.kind) {
    case KeeperReport::Kind::kStarted:
      Started(worker, std::move(*received));
      if (worker.hosting) AdmitWaiting(id);
      return;
    case KeeperReport::Kind::kEnded:
      return Ended(worker, received->report);
    case KeeperReport::Kind::kFailed: {
      const auto& failure = received->report.failure;
      worker.reported = true;
      if (const auto lease = leases_.find(worker.lease); lease != leases_.end())
        lease->second.workers.erase(worker.spawn.id);
      Tell(worker.lease,
           SpawnFailed{
               .id = worker.spawn.id, .error = Describe(failure, worker.spawn), .saved_errno = failure.saved_errno});
      Disown(worker);
    }
  }
}

void Agent::Started(WorkerState& worker, ReceivedReport report) {
  worker.pidfd = std::move(report.pidfd);
  worker.pid = report.report.pid;
  auto copy = worker.pidfd.Duplicate();
  if (!copy) {
    worker.reported = true;
    if (const auto lease = leases_.find(worker.lease); lease != leases_.end())
      lease->second.workers.erase(worker.spawn.id);
    Tell(worker.lease, SpawnFailed{.id = worker.spawn.id, .error = copy.error().message(), .saved_errno = EMFILE});
    ::shutdown(worker.lifeline.fd().get(), SHUT_WR);
    return;
  }
  Tell(worker.lease, Spawned{.id = worker.spawn.id, .pid = report.report.pid}, std::move(*copy));
  for (const int signal : std::exchange(worker.early_signals, {})) SignalWorker(worker, signal);
}

void Agent::Ended(WorkerState& worker, const KeeperReport& report) {
  worker.reported = true;
  Exited exited{.id = worker.spawn.id,
                .code = std::nullopt,
                .signal = std::nullopt,
                .core = false,
                .user_ms = report.user_ms,
                .system_ms = report.system_ms,
                .max_rss_kb = report.max_rss_kb,
                .full = {}};
  if (WIFSIGNALED(report.status)) {
    exited.signal = WTERMSIG(report.status);
    exited.core = WCOREDUMP(report.status);
  } else {
    exited.code = WEXITSTATUS(report.status);
  }
  if (worker.hosting && worker.hosting->shared) {
    const auto guests = std::exchange(worker.hosting->guests, {});
    const auto served =
        std::count_if(guests.begin(), guests.end(), [](const auto& each) { return !each.second.ending; });
    for (const auto& [number, guest] : guests) {
      if (guest.left) {
        Exited earlier;
        earlier.id = guest.id;
        earlier.code = guest.left;
        TellExited(guest.lease, std::move(earlier));
        continue;
      }
      exited.id = guest.id;
      exited.others = static_cast<std::uint32_t>(served - (guest.ending ? 0 : 1));
      TellExited(guest.lease, exited);
    }
  } else {
    TellExited(worker.lease, exited);
  }
  Disown(worker);
}

void Agent::TellExited(LeaseId lease, Exited exited) {
  // Memory mapped from a file without room ends in SIGBUS, a refused write usually in an exit code.
  if (exited.code.value_or(0) != 0 || exited.signal == SIGBUS) exited.full = FullFileSystems();
  if (const auto found = leases_.find(lease); found != leases_.end()) {
    found->second.workers.erase(exited.id);
    if (found->second.granted) exited.beside = SessionsBeside(found->second.granted->session);
  }
  Tell(lease, std::move(exited));
}

void Agent::DropWorker(KeeperId id) {
  Disown(workers_.at(id));
  loop_->Unwatch(workers_.at(id).lifeline.fd().get());
  workers_.erase(id);
  StopWhenDone();
}

void Agent::Signal(LeaseId id, const Kill& kill) {
  const auto& lease = leases_.at(id);
  const auto found = lease.workers.find(kill.id);
  if (found == lease.workers.end()) return;  // has ended meanwhile
  auto& worker = workers_.at(found->second.keeper);
  const bool shared = worker.hosting && worker.hosting->shared;
  if (!found->second.number || (shared && kill.signal == SIGKILL)) {
    EndPlace(id, kill.id, Place(found->second));
  } else if (shared) {
    // Other signals are for a process, and this one is not the session's alone.
  } else if (worker.pidfd) {
    SignalWorker(worker, kill.signal);
  } else {
    worker.early_signals.push_back(kill.signal);
  }
}

// SIGKILL ends the worker, upon which its keeper ends the rest of the tree.
void Agent::SignalWorker(const WorkerState& worker, int signal) {
  if (::syscall(SYS_pidfd_send_signal, worker.pidfd.get(), signal, nullptr, 0) != 0 && errno != ESRCH) {
    Log(LogLevel::kError, "penstock-agent: cannot send signal {} to worker {}: {}", signal, worker.spawn.id,
        strerrordesc_np(errno));
  }
}

// --- answers
// ------------------------------------------------------------------------------------------------------------

void Agent::Tell(LeaseId id, FromAgent message, base::UniqueFd fd) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return;
  found->second.outgoing.push_back({.message = std::move(message), .fd = std::move(fd)});
  Flush(id);
}

auto Agent::MayWrite(const base::PacketSocket& socket) -> bool {
  pollfd waiting{.fd = socket.fd().get(), .events = POLLOUT, .revents = 0};
  return ::poll(&waiting, 1, 0) == 1 && (waiting.revents & POLLOUT) != 0;
}

// A runtime that does not read (stopped in a debugger) must not hold up the leases of others.
void Agent::Flush(LeaseId id) {
  auto& lease = leases_.at(id);
  while (!lease.outgoing.empty() && MayWrite(lease.socket)) {
    auto& next = lease.outgoing.front();
    // A failure here is a runtime that has gone: its end of file comes next.
    static_cast<void>(Send(lease.socket, next.message, next.fd.get()));
    lease.outgoing.pop_front();
  }
  const std::uint32_t events = lease.outgoing.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
  if (events == lease.watched_events) return;
  lease.watched_events = events;
  loop_->Unwatch(lease.socket.fd().get());
  static_cast<void>(loop_->Watch(lease.socket.fd().get(), events, [this, id](std::uint32_t ready) {
    if ((ready & EPOLLOUT) != 0) Flush(id);
    if ((ready & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) OnLeaseReadable(id);
  }));
}

// --- the end
// ------------------------------------------------------------------------------------------------------------

void Agent::ArmExpiry(std::chrono::nanoseconds after) {
  DisarmExpiry();
  expiry_ = loop_->After(after, [this] {
    expiry_.reset();
    Expire();
  });
}

void Agent::DisarmExpiry() {
  if (expiry_) loop_->Cancel(*expiry_);
  expiry_.reset();
}

void Agent::CloseListener() {
  if (!listener_) return;
  // Runtimes hold the listener too, so closing our copy would leave later connections waiting forever. Shut down, it
  // refuses them, and whatever got in before is in the backlog: accepted here, closed without `granted`.
  loop_->Unwatch(listener_.get());
  ::shutdown(listener_.get(), SHUT_RDWR);
  while (base::AcceptPacket(listener_)) {
  }
  listener_.reset();
}

void Agent::Expire() {
  CloseListener();
  while (!leases_.empty()) CloseLease(leases_.begin()->first);
  ending_ = true;
  StopWhenDone();
}

void Agent::StopWhenDone() {
  if (ending_ && leases_.empty()) {
    // Processes with a model stay for sessions to come, and none comes any more.
    for (const auto& [id, worker] : workers_) ::shutdown(worker.lifeline.fd().get(), SHUT_WR);
  }
  if (ending_ && workers_.empty() && !hunting_ && (leases_.empty() || terminating_)) loop_->Stop();
}

}  // namespace penstock::worker::agent
