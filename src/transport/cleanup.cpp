#include "transport/cleanup.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include "base/paths.h"
#include "transport/fork_guard.h"

namespace penstock::transport {
namespace {
using base::Deadline;
using base::ErrorCode;
using base::Fail;
using base::UniqueFd;

constexpr int kRealmInHelper = 3;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

auto MakePipe() -> base::Expected<Pipe> {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::SystemError("make a pipe for the cleaner");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The helper as a process that is ended and reaped whatever happens.
class Helper final {
 public:
  static auto Start(const std::string& program, int realm, int report) -> base::Expected<Helper> {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, report, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, realm, kRealmInHelper);
    std::string name = "penstock-cleaner";
    std::array<char*, 2> arguments{name.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    pid_t pid = -1;
    const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed == ENOENT) {
      return Fail(ErrorCode::kUnavailable, "'{}' is missing: reinstall Penstock, or set PENSTOCK_HOME to its directory",
                  program);
    }
    if (failed != 0) return base::SystemError(fmt::format("start '{}'", program), failed);
    return Helper(pid);
  }

  Helper(Helper&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  auto operator=(Helper&&) -> Helper& = delete;
  Helper(const Helper&) = delete;
  auto operator=(const Helper&) -> Helper& = delete;
  ~Helper() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    Wait();
  }

  /// Its wait status. Waits for as long as it takes: call when it closed its report.
  auto Wait() -> int {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  explicit Helper(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

// Everything that the helper writes until it closes its end.
auto ReadReport(const UniqueFd& fd, Deadline deadline) -> base::Expected<std::string> {
  constexpr std::size_t kLongest = 4096;
  std::string report;
  std::array<char, 512> part{};
  for (;;) {
    pollfd waiting{.fd = fd.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, deadline.poll_timeout_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return base::SystemError("wait for the cleaner");
    if (ready == 0) {
      if (!deadline.passed()) continue;
      return Fail(ErrorCode::kDeadline, "cleaning a realm took too long: its contents may be damaged");
    }
    const auto got = ::read(fd.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::SystemError("read the cleaner's report");
    if (got == 0) return report;
    if (report.size() < kLongest) report.append(part.data(), static_cast<std::size_t>(got));
  }
}

auto Parse(const std::string& report) -> base::Expected<CleanupReport> {
  CleanupReport result;
  const char* end = report.data() + report.size();
  const auto first = std::from_chars(report.data(), end, result.cleaned);
  if (first.ec == std::errc{} && first.ptr != end && *first.ptr == ' ') {
    const auto second = std::from_chars(first.ptr + 1, end, result.failed);
    if (second.ec == std::errc{}) return result;
  }
  return Fail(ErrorCode::kInternal, "the cleaner answered '{}'", report);
}

}  // namespace

auto CleanDeadParticipants(const UniqueFd& realm, Deadline deadline) -> base::Expected<CleanupReport> {
  PENSTOCK_TRY(RefuseInForkedChild());
  PENSTOCK_ASSIGN(const auto home, base::InstallDirectory());
  PENSTOCK_ASSIGN(auto pipe, MakePipe());
  PENSTOCK_ASSIGN(auto helper, Helper::Start(home / "bin" / "penstock-cleaner", realm.get(), pipe.write.get()));
  pipe.write.reset();
  PENSTOCK_ASSIGN(const auto report, ReadReport(pipe.read, deadline));
  const int status = helper.Wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Parse(report);
  if (WIFEXITED(status)) return Fail(ErrorCode::kInternal, "cleaning a realm failed: {}", report);
  return Fail(ErrorCode::kPeerCorrupt, "the cleaner crashed (signal {}) on the contents of a realm", WTERMSIG(status));
}

}  // namespace penstock::transport
