#include "base/locked_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/uuid.h"

namespace penstock::base {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kNewPrefix = "new-";  // not yet locked
constexpr auto kLockFile = "lock";
constexpr int kTries = 10;

// Who waited for a lock of a directory that was removed meanwhile has locked a file without a name.
auto HasName(const UniqueFd& file) -> bool {
  struct stat status{};
  return ::fstat(file.get(), &status) == 0 && status.st_nlink > 0;
}

}  // namespace

auto LockedDirectory::Create(const fs::path& parent, const std::string& name) -> Expected<LockedDirectory> {
  std::error_code error;
  fs::create_directories(parent, error);
  for (int tries_left = kTries;; --tries_left) {
    auto created = TryCreate(parent, name);
    if (created || tries_left == 0) return created;
  }
}

// Made under another name and renamed once it is locked: an unlocked one is taken for a dead process's. So is this one
// in the instant before its lock: then a sweeper removes it, one of the steps fails, and the caller begins again, under
// a new name, so that what a sweeper or another creator still does to the old one is no concern of it.
auto LockedDirectory::TryCreate(const fs::path& parent, const std::string& name) -> Expected<LockedDirectory> {
  const auto fresh = parent / (std::string(kNewPrefix) + NewUuidV7());
  const auto path = parent / name;
  std::error_code error;
  if (!fs::create_directory(fresh, error))
    return Fail(ErrorCode::kUnavailable, "cannot create '{}': {}", fresh.string(), error.message());
  const auto failed = [&](const char* what) -> Expected<LockedDirectory> {
    auto system_error = SystemError(fmt::format("{} '{}'", what, fresh.string()));
    fs::remove_all(fresh, error);
    return system_error;
  };
  UniqueFd lock(::open((fresh / kLockFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return failed("create the lock in");
  if (::flock(lock.get(), LOCK_SH | LOCK_NB) != 0) return failed("lock");
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failed("rename");
  // A sweeper that had the lock before us may have removed it between our lock and our rename.
  if (!HasName(lock)) {
    fs::remove(path, error);
    return Fail(ErrorCode::kConflict, "'{}' was swept while it was made", path.string());
  }
  return LockedDirectory(path, std::move(lock));
}

auto LockedDirectory::Lock(const fs::path& path, int operation) -> std::optional<LockedDirectory> {
  UniqueFd lock(::open((path / kLockFile).c_str(), O_RDWR | O_CLOEXEC));
  if (!lock || ::flock(lock.get(), operation | LOCK_NB) != 0 || !HasName(lock)) return std::nullopt;
  return LockedDirectory(path, std::move(lock));
}

auto LockedDirectory::Join(const fs::path& path) -> std::optional<LockedDirectory> { return Lock(path, LOCK_SH); }

auto LockedDirectory::Claim(const fs::path& path) -> std::optional<LockedDirectory> {
  auto claimed = Lock(path, LOCK_EX);
  // Of a process that was killed before it had made the lock; the kernel refuses when there is anything in it.
  if (!claimed) ::rmdir(path.c_str());
  return claimed;
}

auto LockedDirectory::ClaimIfLast() -> bool {
  // The kernel gives the shared lock up before it tries the exclusive one: meanwhile another may claim and remove.
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0 && HasName(lock_)) return true;
  lock_.reset();
  return false;
}

void LockedDirectory::Remove() const {
  // The lock goes last: what a removal that is cut short leaves can be claimed, or is empty.
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (entry.path().filename() != kLockFile) fs::remove_all(entry.path(), error);
  }
  fs::remove(path_ / kLockFile, error);
  fs::remove(path_, error);
  if (error) Log(LogLevel::kWarning, "cannot remove '{}': {}", path_.string(), error.message());
}

}  // namespace penstock::base
