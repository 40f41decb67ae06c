#include "worker/agent/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "worker/agent/domain.h"
#include "worker/agent/process_tree.h"

namespace penstock::worker::agent {
namespace {

auto Milliseconds(const timeval& time) -> std::int64_t {
  return std::int64_t{time.tv_sec} * 1000 + time.tv_usec / 1000;
}

struct Ending {
  int status = 0;
  rusage usage{};
};

class Keeper final {
 public:
  Keeper(const Spawn& spawn, const std::vector<base::UniqueFd>& fds, int domain, base::PacketSocket lifeline)
      : spawn_(spawn), fds_(fds), domain_(domain), lifeline_(std::move(lifeline)) {}

  void Run() {
    ::prctl(PR_SET_NAME, "penstock-keeper");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    // Above all: no copies of the agent's sockets. A lease whose socket we held would never end.
    std::vector<int> keep{STDERR_FILENO, lifeline_.fd().get()};
    for (const auto& fd : fds_) keep.push_back(fd.get());
    CloseAllBut(keep);

    if (const auto failure = StartWorker()) {
      Send({.kind = KeeperReport::Kind::kFailed, .failure = *failure}, -1);
      return;
    }
    const base::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, worker_, 0)));
    if (!pidfd) {
      const int saved = errno;
      KillDescendants();
      Send(
          {.kind = KeeperReport::Kind::kFailed, .failure = {.step = ExecFailure::Step::kSession, .saved_errno = saved}},
          -1);
      return;
    }
    Send({.kind = KeeperReport::Kind::kStarted, .pid = worker_}, pidfd.get());
    const auto ending = AwaitWorker();
    KillDescendants();
    Send({.kind = KeeperReport::Kind::kEnded,
          .status = ending.status,
          .user_ms = Milliseconds(ending.usage.ru_utime),
          .system_ms = Milliseconds(ending.usage.ru_stime),
          .max_rss_kb = ending.usage.ru_maxrss},
         -1);
  }

 private:
  auto StartWorker() -> std::optional<ExecFailure> {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      return ExecFailure{.step = ExecFailure::Step::kSession, .saved_errno = errno};
    const base::UniqueFd read_end(ends[0]);
    base::UniqueFd write_end(ends[1]);
    const pid_t keeper = ::getpid();
    worker_ = ::fork();
    if (worker_ < 0) return ExecFailure{.step = ExecFailure::Step::kSession, .saved_errno = errno};
    if (worker_ == 0) {
      const auto failure = domain_ != 0 && !EnterDomain(domain_)
                               ? ExecFailure{.step = ExecFailure::Step::kDomain, .saved_errno = errno}
                               : BecomeWorker(spawn_, fds_, keeper, write_end);
      [[maybe_unused]] const auto written = ::write(write_end.get(), &failure, sizeof(failure));
      ::_exit(127);
    }
    write_end.reset();
    // What the worker was given is the worker's alone: a pipe must see its end when the worker dies.
    CloseAllBut({STDERR_FILENO, lifeline_.fd().get(), read_end.get()});
    ExecFailure failure;
    ssize_t got = 0;
    do {
      got = ::read(read_end.get(), &failure, sizeof(failure));
    } while (got < 0 && errno == EINTR);
    if (got != static_cast<ssize_t>(sizeof(failure))) return std::nullopt;  // closed by exec
    ::waitpid(worker_, nullptr, 0);
    return failure;
  }

  // Reaps whatever ends until the worker does; kills it when the lifeline ends.
  auto AwaitWorker() -> Ending {
    sigset_t child_signal;
    ::sigemptyset(&child_signal);
    ::sigaddset(&child_signal, SIGCHLD);  // blocked since the agent's start
    const base::UniqueFd signals(::signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK));
    std::array<pollfd, 2> waiting{pollfd{.fd = signals.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = lifeline_.fd().get(), .events = POLLIN, .revents = 0}};
    for (;;) {
      if (const auto ending = Reap()) return *ending;
      if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
      if (waiting[0].revents != 0) {
        signalfd_siginfo ignored{};
        while (::read(signals.get(), &ignored, sizeof(ignored)) > 0) {
        }
      }
      if (waiting[1].revents != 0) {
        ::kill(worker_, SIGKILL);
        waiting[1].fd = -1;
      }
    }
  }

  auto Reap() const -> std::optional<Ending> {
    for (;;) {
      Ending ending;
      const pid_t ended = ::wait4(-1, &ending.status, WNOHANG, &ending.usage);
      if (ended == worker_) return ending;
      if (ended <= 0) return std::nullopt;
    }
  }

  // Failure means that the agent is gone; then nobody is left to tell.
  void Send(const KeeperReport& report, int fd) const {
    const std::string_view bytes(reinterpret_cast<const char*>(&report), sizeof(report));
    if (fd >= 0) {
      static_cast<void>(lifeline_.Send(bytes, std::array{fd}));
    } else {
      static_cast<void>(lifeline_.Send(bytes));
    }
  }

  const Spawn& spawn_;
  const std::vector<base::UniqueFd>& fds_;
  int domain_;
  base::PacketSocket lifeline_;
  pid_t worker_ = 0;
};

}  // namespace

auto StartKeeper(const Spawn& spawn, const std::vector<base::UniqueFd>& fds, int domain)
    -> base::Expected<KeeperHandle> {
  PENSTOCK_ASSIGN(auto pair, base::PacketSocket::Pair());
  const pid_t pid = ::fork();
  if (pid < 0) return base::SystemError("fork a keeper");
  if (pid == 0) {
    Keeper(spawn, fds, domain, std::move(pair.second)).Run();
    ::_exit(0);
  }
  return KeeperHandle{.pid = pid, .lifeline = std::move(pair.first)};
}

auto ReceiveReport(const base::PacketSocket& lifeline) -> base::Expected<ReceivedReport> {
  PENSTOCK_ASSIGN(auto packet, lifeline.Receive(base::Deadline::Never()));
  ReceivedReport received;
  if (packet.data.size() != sizeof(KeeperReport)) {
    return base::Fail(base::ErrorCode::kPeerCorrupt, "a keeper sent {} bytes instead of {}", packet.data.size(),
                      sizeof(KeeperReport));
  }
  std::memcpy(&received.report, packet.data.data(), sizeof(KeeperReport));
  if (!packet.fds.empty()) received.pidfd = std::move(packet.fds.front());
  return received;
}

}  // namespace penstock::worker::agent
