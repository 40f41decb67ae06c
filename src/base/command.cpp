#include "base/command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/line_cutter.h"
#include "base/unique_fd.h"

extern char** environ;

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

auto Spawn(const std::vector<std::string>& arguments, int output) -> Expected<pid_t> {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error == ENOENT) return Fail(ErrorCode::kNotFound, "there is no program '{}'", arguments.front());
  if (error != 0) return SystemError(fmt::format("start '{}'", arguments.front()), error);
  return pid;
}

auto Reap(pid_t pid) -> int {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
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
