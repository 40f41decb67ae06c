#include "container/locked_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/log.h"

namespace penstock::container {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kNewPrefix = "new-";  // not yet locked
constexpr auto kLockFile = "lock";

// Who waited for a lock of a directory that was removed meanwhile has locked a file without a name.
auto HasName(const base::UniqueFd& file) -> bool {
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 && status.st_nlink > 0;
}

}  // namespace

auto LockedDirectory::Create(const fs::path& parent, const std::string& name) -> base::Expected<LockedDirectory> {
  // Made under another name and renamed once it is locked: an unlocked one would be taken for a dead process's.
  const auto fresh = parent / (std::string(kNewPrefix) + name);
  const auto path = parent / name;
  std::error_code error;
  fs::create_directories(parent, error);
  if (!fs::create_directory(fresh, error))
    return base::Fail(base::ErrorCode::kUnavailable, "cannot create '{}': {}", fresh.string(), error.message());
  base::UniqueFd lock(::open((fresh / kLockFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return base::SystemError(fmt::format("create the lock in '{}'", fresh.string()));
  if (::flock(lock.get(), LOCK_SH | LOCK_NB) != 0) return base::SystemError(fmt::format("lock '{}'", fresh.string()));
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    const auto failed = base::SystemError(fmt::format("rename '{}'", fresh.string()));
    fs::remove_all(fresh, error);
    return failed;
  }
  return LockedDirectory(path, std::move(lock));
}

auto LockedDirectory::Lock(const fs::path& path, int operation) -> std::optional<LockedDirectory> {
  base::UniqueFd lock(::open((path / kLockFile).c_str(), O_RDWR | O_CLOEXEC));
  if (!lock || ::flock(lock.get(), operation | LOCK_NB) != 0 || !HasName(lock)) return std::nullopt;
  return LockedDirectory(path, std::move(lock));
}

auto LockedDirectory::Join(const fs::path& path) -> std::optional<LockedDirectory> { return Lock(path, LOCK_SH); }

auto LockedDirectory::Claim(const fs::path& path) -> std::optional<LockedDirectory> { return Lock(path, LOCK_EX); }

auto LockedDirectory::ClaimIfLast() -> bool {
  // The kernel gives the shared lock up before it tries the exclusive one: meanwhile another may claim and remove.
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0 && HasName(lock_)) return true;
  lock_.reset();
  return false;
}

void LockedDirectory::Remove() const {
  std::error_code error;
  fs::remove_all(path_, error);
  if (error) base::Log(base::LogLevel::kWarning, "cannot remove '{}': {}", path_.string(), error.message());
}

}  // namespace penstock::container
