#include "observe/session_folder.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/log.h"
#include "base/paths.h"
#include "base/uuid.h"

namespace penstock::observe {
namespace fs = std::filesystem;
namespace {

constexpr auto kLockName = "live";

auto MakeFolder(const fs::path& path) -> base::Status {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return base::SystemError(fmt::format("create '{}'", path.string()));
}

// Readers share the lock, so that they do not look like a runtime to each other.
auto TryLock(const fs::path& folder, int kind) -> std::optional<base::UniqueFd> {
  base::UniqueFd lock(::open((folder / kLockName).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!lock || ::flock(lock.get(), kind | LOCK_NB) != 0) return std::nullopt;
  return lock;
}

auto SizeOf(const fs::path& folder) -> std::uint64_t {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    struct stat status{};
    if (::lstat(entry->path().c_str(), &status) == 0) bytes += static_cast<std::uint64_t>(status.st_size);
  }
  return bytes;
}

// The first 48 bits of a UUIDv7 are its time.
auto StartOf(const std::string& session) -> std::chrono::system_clock::time_point {
  const auto digits = session.substr(0, 8) + session.substr(9, 4);
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(std::stoll(digits, nullptr, 16)));
}

void Remove(const fs::path& folder) {
  // A folder without its lock file was never finished, or is half removed; a young one of the first kind is left alone.
  std::error_code error;
  const auto lock = TryLock(folder, LOCK_EX);
  if (!lock && fs::exists(folder / kLockName, error)) return;
  fs::remove_all(folder, error);
  if (error)
    base::Log(base::LogLevel::kWarning, "cannot remove the old log '{}': {}", folder.string(), error.message());
}

auto Listed(const std::vector<std::string>& sessions) -> std::string {
  constexpr std::ptrdiff_t kShown = 10;
  const auto first = std::max(sessions.begin(), sessions.end() - std::min(kShown, std::ssize(sessions)));
  return fmt::format("{}{}", fmt::join(first, sessions.end(), ", "),
                     std::ssize(sessions) > kShown ? fmt::format(" and {} older", std::ssize(sessions) - kShown) : "");
}

}  // namespace

auto SessionFolder::Create(const fs::path& sessions, const std::string& session) -> base::Expected<SessionFolder> {
  PENSTOCK_TRY(MakeFolder(sessions));
  auto path = sessions / session;
  PENSTOCK_TRY(MakeFolder(path));
  base::UniqueFd lock(::open((path / kLockName).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return base::SystemError(fmt::format("create '{}'", (path / kLockName).string()));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return base::SystemError(fmt::format("lock '{}'", path.string()));
  return SessionFolder(std::move(path), std::move(lock));
}

auto SessionsDirectory() -> base::Expected<fs::path> {
  PENSTOCK_ASSIGN(auto state, base::StateDirectory());
  return state / "sessions";
}

auto ListSessions(const fs::path& sessions) -> std::vector<std::string> {
  std::vector<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator entry(sessions, error), end; !error && entry != end; entry.increment(error)) {
    auto name = entry->path().filename().string();
    if (base::IsUuid(name)) ids.push_back(std::move(name));
  }
  std::ranges::sort(ids);  // UUIDv7: by time
  return ids;
}

auto FindSession(const fs::path& sessions, std::string_view prefix) -> base::Expected<std::string> {
  const auto all = ListSessions(sessions);
  if (all.empty()) {
    return base::Fail(base::ErrorCode::kNotFound, "no session has a log in '{}'; penstock run writes one",
                      sessions.string());
  }
  if (prefix.empty()) return all.back();
  std::vector<std::string> matching;
  std::ranges::copy_if(all, std::back_inserter(matching), [&](const auto& id) { return id.starts_with(prefix); });
  if (matching.empty()) {
    return base::Fail(base::ErrorCode::kNotFound, "no session's id begins with '{}'; there are {}", prefix,
                      Listed(all));
  }
  if (matching.size() > 1) {
    return base::Fail(base::ErrorCode::kConflict, "the ids of {} sessions begin with '{}': {}; give more of the one",
                      matching.size(), prefix, Listed(matching));
  }
  return matching.front();
}

auto IsLive(const fs::path& folder) -> bool {
  std::error_code error;
  return fs::exists(folder / kLockName, error) && !TryLock(folder, LOCK_SH);
}

void AwaitEnd(const fs::path& folder) {
  const base::UniqueFd lock(::open((folder / kLockName).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!lock) return;
  while (::flock(lock.get(), LOCK_SH) != 0 && errno == EINTR) {
  }
}

void PruneSessions(const fs::path& sessions, const KeepSessions& keep) {
  auto ids = ListSessions(sessions);
  const auto oldest = std::chrono::system_clock::now() - keep.age;
  std::uint64_t bytes = 0;
  std::size_t kept = 0;
  std::ranges::reverse(ids);
  for (const auto& id : ids) {
    const auto folder = sessions / id;
    bytes += SizeOf(folder);
    if (++kept > keep.count || StartOf(id) < oldest || (bytes > keep.bytes && kept > 1)) Remove(folder);
  }
}

}  // namespace penstock::observe
