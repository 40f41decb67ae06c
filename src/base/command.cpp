#include "base/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/line_cutter.h"
#include "base/unique_fd.h"

namespace penstock::base {
namespace {
using namespace std::chrono_literals;

constexpr auto kGrace = 2s;

// Reads what is there. False when the other end is closed.
auto Drain(int fd, LineCutter& lines, const LineSink& sink) -> bool {
  std::array<char, 8192> buffer;
  for (;;) {
    const auto size = ::read(fd, buffer.data(), buffer.size());
    if (size > 0) {
      lines.Feed({buffer.data(), static_cast<std::size_t>(size)}, sink);
    } else if (size == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
}

auto Reap(pid_t pid) -> int {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// In the child of a process that may have other threads: nothing here may lock. It ends with the thread that waits for
// it, as when this process is killed; what it has started itself does not.
[[noreturn]] void Become(char* const* argv, int output, int null, int failed, pid_t parent) {
  sigset_t none;
  ::sigemptyset(&none);
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    struct sigaction action{};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action.sa_handler = SIG_DFL;  // a handler of this program must not run in the child
    ::sigaction(signal, &action, nullptr);
  }
  const bool ready = ::setpgid(0, 0) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::dup2(null, 0) >= 0 &&
                     ::dup2(output, 1) >= 0 && ::dup2(output, 2) >= 0 &&
                     ::pthread_sigmask(SIG_SETMASK, &none, nullptr) == 0;
  if (ready && ::getppid() == parent) ::execvp(argv[0], argv);
  const int error = errno;
  [[maybe_unused]] const auto told = ::write(failed, &error, sizeof(error));
  ::_exit(127);
}

auto Spawn(const std::vector<std::string>& arguments, int output) -> Expected<pid_t> {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return SystemError("open /dev/null");
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return SystemError("make a pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return SystemError(fmt::format("start '{}'", arguments.front()));
  if (pid == 0) Become(argv.data(), output, null.get(), write_end.get(), parent);
  write_end.reset();
  int error = 0;
  ssize_t size = 0;
  while ((size = ::read(read_end.get(), &error, sizeof(error))) < 0 && errno == EINTR) {
  }
  if (size == 0) return pid;  // it runs: exec has closed the pipe
  Reap(pid);
  if (error == ENOENT) return Fail(ErrorCode::kNotFound, "there is no program '{}'", arguments.front());
  return SystemError(fmt::format("start '{}'", arguments.front()), error);
}

void Terminate(pid_t pid, int pidfd) {
  ::kill(-pid, SIGTERM);
  pollfd ended{pidfd, POLLIN, 0};
  ::poll(&ended, 1, static_cast<int>(std::chrono::milliseconds(kGrace).count()));
  ::kill(-pid, SIGKILL);
  Reap(pid);
}

}  // namespace

auto RunCommand(const std::vector<std::string>& arguments, const LineSink& on_line, Deadline deadline,
                const std::stop_token& stop) -> Expected<int> {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return SystemError("make a pipe");
  const UniqueFd output(ends[0]);
  UniqueFd input(ends[1]);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
  const UniqueFd stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stopped) return SystemError("make an eventfd");
  const std::stop_callback wake(stop, [&stopped] { ::eventfd_write(stopped.get(), 1); });

  PENSTOCK_ASSIGN(const pid_t pid, Spawn(arguments, input.get()));
  input.reset();
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int error = errno;
    ::kill(-pid, SIGKILL);
    Reap(pid);
    return SystemError(fmt::format("watch '{}'", arguments.front()), error);
  }

  LineCutter lines;
  const LineSink sink = on_line ? on_line : [](std::string_view) {};
  std::array<pollfd, 3> watched{{{pidfd.get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}, {output.get(), POLLIN, 0}}};
  for (;;) {
    const int ready = ::poll(watched.data(), watched.size(), deadline.poll_timeout_ms());
    if (ready < 0 && errno == EINTR) continue;
    // A program may close its outputs and go on; what it left in the background may keep them open after its end.
    if (watched[2].revents != 0 && !Drain(output.get(), lines, sink)) watched[2].fd = -1;
    if (watched[0].revents != 0) break;
    if (watched[1].revents != 0) {
      Terminate(pid, pidfd.get());
      return Fail(ErrorCode::kCancelled, "'{}' was stopped", arguments.front());
    }
    if (deadline.passed()) {
      Terminate(pid, pidfd.get());
      return Fail(ErrorCode::kDeadline, "'{}' was not done in time and was stopped", arguments.front());
    }
  }
  if (watched[2].fd >= 0) Drain(output.get(), lines, sink);
  lines.Flush(sink);
  return Reap(pid);
}

}  // namespace penstock::base
