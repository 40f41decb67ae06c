#include "worker/agent/process_tree.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <string>

#include "base/unique_fd.h"

namespace penstock::worker::agent {

auto Children() -> base::Expected<std::vector<pid_t>> {
  const auto path = fmt::format("/proc/self/task/{}/children", ::getpid());
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return base::Fail(base::ErrorCode::kUnavailable,
                      "cannot read {} ({}): the agent needs /proc and a kernel with CONFIG_PROC_CHILDREN", path,
                      strerrorname_np(errno));
  }
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::SystemError("read " + path);
    if (got == 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  std::vector<pid_t> children;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    pid_t pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error == std::errc()) children.push_back(pid);
    at = next + 1;
  }
  return children;
}

void KillDescendants() {
  for (;;) {
    const auto children = Children();
    if (!children) return;
    bool signalled = false;
    for (const pid_t child : *children) signalled = ::kill(child, SIGKILL) == 0 || signalled;
    if (!children->empty() && !signalled) return;
    // A child is reported only after its own children have become ours, so an empty round means that none is left.
    const pid_t ended = ::waitpid(-1, nullptr, 0);
    if (ended < 0 && errno == ECHILD) return;
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

}  // namespace penstock::worker::agent
