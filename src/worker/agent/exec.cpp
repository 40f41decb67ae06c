#include "worker/agent/exec.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstring>
#include <set>

namespace penstock::worker::agent {
namespace {
using base::ErrorCode;
using base::Fail;

constexpr int kMaxTarget = 255;  // far above what the protocol uses, far below any descriptor limit

auto HasNul(const std::string& text) -> bool { return text.find('\0') != std::string::npos; }

// For seccomp profiles that do not know close_range(2).
void ForEachOpen(unsigned first, unsigned last, bool close) {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return;
  std::vector<int> open;
  while (const dirent* entry = ::readdir(directory)) {
    unsigned fd = 0;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, fd).ptr == end && fd >= first && fd <= last)
      open.push_back(static_cast<int>(fd));
  }
  for (const int fd : open) {
    if (fd == ::dirfd(directory)) continue;
    if (close) {
      ::close(fd);
    } else {
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
  }
  ::closedir(directory);
}

// Closes (now, or on exec) everything outside `keep`.
void ForEachGap(std::vector<int> keep, bool close) {
  std::sort(keep.begin(), keep.end());
  unsigned first = 0;
  const auto range = [close](unsigned from, unsigned to) {
    if (::close_range(from, to, close ? 0 : CLOSE_RANGE_CLOEXEC) != 0) ForEachOpen(from, to, close);
  };
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned>(fd);
    if (kept > first) range(first, kept - 1);
    first = kept + 1;
  }
  range(first, UINT_MAX);
}

void ResetSignals() {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Every source goes to a number above all targets first, since a source may sit where another one's target is.
auto PlaceDescriptors(const Spawn& spawn, const std::vector<base::UniqueFd>& fds, base::UniqueFd& report) -> bool {
  int staging = 3;
  for (const int target : spawn.targets) staging = std::max(staging, target + 1);
  const auto stage = [staging](int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, staging); };
  const int moved_report = stage(report.get());
  if (moved_report < 0) return false;
  report.reset(moved_report);
  std::vector<int> staged;
  for (const auto& fd : fds) {
    staged.push_back(stage(fd.get()));
    if (staged.back() < 0) return false;
  }
  // No worker starts with a closed standard descriptor: the first file it opens would take its place.
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return false;
  const int staged_null = stage(null);
  if (staged_null < 0) return false;
  for (int fd = 0; fd <= 2; ++fd) {
    if (::dup2(staged_null, fd) < 0) return false;
  }
  for (std::size_t i = 0; i < staged.size(); ++i) {
    if (::dup2(staged[i], spawn.targets[i]) < 0) return false;
  }
  auto keep = spawn.targets;
  for (int fd = 0; fd <= 2; ++fd) {
    if (std::find(keep.begin(), keep.end(), fd) == keep.end()) keep.push_back(fd);
  }
  ForEachGap(keep, /*close=*/false);
  return true;
}

auto Pointers(std::vector<std::string>& strings) -> std::vector<char*> {
  std::vector<char*> pointers;
  for (auto& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

auto CheckSpawn(const Spawn& spawn) -> base::Status {
  if (spawn.argv.empty() || spawn.argv[0].empty()) return Fail(ErrorCode::kInvalidArgument, "argv is empty");
  if (spawn.cwd.empty() || spawn.cwd[0] != '/')
    return Fail(ErrorCode::kInvalidArgument, "cwd '{}' is not an absolute path", spawn.cwd);
  if (HasNul(spawn.cwd) || std::any_of(spawn.argv.begin(), spawn.argv.end(), HasNul)) {
    return Fail(ErrorCode::kInvalidArgument, "argv or cwd contains a NUL character");
  }
  for (const auto& [name, value] : spawn.env) {
    if (name.empty() || name.find('=') != std::string::npos || HasNul(name) || HasNul(value)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the environment variable '{}' has a name or value that cannot be passed on", name);
    }
  }
  std::set<int> seen;
  for (const int target : spawn.targets) {
    if (target < 0 || target > kMaxTarget)
      return Fail(ErrorCode::kInvalidArgument, "target {} is outside 0-{}", target, kMaxTarget);
    if (!seen.insert(target).second) return Fail(ErrorCode::kInvalidArgument, "target {} is given twice", target);
  }
  return {};
}

auto Describe(const ExecFailure& failure, const Spawn& spawn) -> std::string {
  const char* reason = strerrordesc_np(failure.saved_errno);
  const std::string why = reason == nullptr ? fmt::format("error {}", failure.saved_errno) : reason;
  switch (failure.step) {
    case ExecFailure::Step::kSession:
      return fmt::format("cannot start a session for '{}': {}", spawn.argv[0], why);
    case ExecFailure::Step::kParentGone:
      return fmt::format("the keeper of '{}' ended before it started", spawn.argv[0]);
    case ExecFailure::Step::kDirectory:
      return fmt::format("cannot enter the directory '{}': {}", spawn.cwd, why);
    case ExecFailure::Step::kDescriptors:
      return fmt::format("cannot place the descriptors of '{}': {}", spawn.argv[0], why);
    case ExecFailure::Step::kDomain:
      return fmt::format("cannot put '{}' into a Landlock domain: {}", spawn.argv[0], why);
    case ExecFailure::Step::kProgram:
      break;
  }
  return fmt::format("cannot run '{}': {}", spawn.argv[0], why);
}

auto BecomeWorker(const Spawn& spawn, const std::vector<base::UniqueFd>& fds, pid_t keeper, base::UniqueFd& report)
    -> ExecFailure {
  using Step = ExecFailure::Step;
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return {.step = Step::kSession, .saved_errno = errno};
  // The keeper may have died before the kernel knew that we care.
  if (::getppid() != keeper) return {.step = Step::kParentGone, .saved_errno = ESRCH};
  if (::setsid() < 0) return {.step = Step::kSession, .saved_errno = errno};
  if (::chdir(spawn.cwd.c_str()) != 0) return {.step = Step::kDirectory, .saved_errno = errno};
  if (!PlaceDescriptors(spawn, fds, report)) return {.step = Step::kDescriptors, .saved_errno = errno};
  base::RaiseDescriptorLimit();
  ResetSignals();
  auto arguments = spawn.argv;
  std::vector<std::string> variables;
  for (const auto& [name, value] : spawn.env) variables.push_back(name + "=" + value);
  auto environment = Pointers(variables);
  environ = environment.data();  // so that a bare program name is looked up in the worker's own PATH
  ::execvp(arguments[0].c_str(), Pointers(arguments).data());
  return {.step = Step::kProgram, .saved_errno = errno};
}

void CloseAllBut(std::vector<int> keep) { ForEachGap(std::move(keep), /*close=*/true); }

}  // namespace penstock::worker::agent
