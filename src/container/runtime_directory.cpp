#include "container/runtime_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "base/uuid.h"

namespace penstock::container {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "rt-";
constexpr std::string_view kNewPrefix = "new-";  // not yet locked
constexpr auto kLockFile = "lock";

// The last group of a version 7 UUID is random: short enough for the 108 bytes of a socket path.
auto ShortId() -> std::string { return base::NewUuidV7().substr(24); }

// Each container has a directory for its sockets.
auto HeldContainers(const fs::path& directory) -> bool {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.is_directory(error)) return true;
  }
  return false;
}

enum class LockResult { kLocked, kHeld, kGone };

auto TryLock(const fs::path& directory, base::UniqueFd& lock) -> LockResult {
  lock.reset(::open((directory / kLockFile).c_str(), O_RDWR | O_CLOEXEC));
  if (!lock) return LockResult::kGone;
  return ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0 ? LockResult::kLocked : LockResult::kHeld;
}

}  // namespace

auto RuntimeDirectory::Create() -> base::Expected<RuntimeDirectory> {
  PENSTOCK_ASSIGN(const auto parent, base::RuntimeDirectory());
  auto id = ShortId();
  // Made under another name and renamed once it is locked: a sweeper would take an unlocked one for a dead runtime's.
  const auto fresh = parent / (std::string(kNewPrefix) + id);
  const auto path = parent / (std::string(kPrefix) + id);
  std::error_code error;
  if (!fs::create_directory(fresh, error))
    return base::Fail(base::ErrorCode::kUnavailable, "cannot create '{}': {}", fresh.string(), error.message());
  base::UniqueFd lock(::open((fresh / kLockFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return base::SystemError(fmt::format("create the lock in '{}'", fresh.string()));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return base::SystemError(fmt::format("lock '{}'", fresh.string()));
  if (::rename(fresh.c_str(), path.c_str()) != 0) return base::SystemError(fmt::format("rename '{}'", fresh.string()));
  return RuntimeDirectory(std::move(id), path, std::move(lock));
}

RuntimeDirectory::RuntimeDirectory(std::string id, fs::path path, base::UniqueFd lock)
    : id_(std::move(id)), path_(std::move(path)), lock_(std::move(lock)) {}

RuntimeDirectory::~RuntimeDirectory() {
  if (!lock_) return;
  if (HeldContainers(path_)) return;  // one could not be removed: the next command finds it here
  std::error_code error;
  fs::remove_all(path_, error);
  if (error) base::Log(base::LogLevel::kWarning, "cannot remove '{}': {}", path_.string(), error.message());
}

auto IsAlive(const std::string& runtime_id) -> bool {
  const auto parent = base::RuntimeDirectory();
  if (!parent) return true;  // not known: nothing is done to it
  base::UniqueFd lock;
  return TryLock(*parent / (std::string(kPrefix) + runtime_id), lock) == LockResult::kHeld;
}

auto SweepDeadRuntimes(const std::function<base::Status(const std::string& runtime_id)>& remove) -> base::Status {
  PENSTOCK_ASSIGN(const auto parent, base::RuntimeDirectory());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    base::UniqueFd lock;
    if (TryLock(entry.path(), lock) != LockResult::kLocked) continue;
    if (HeldContainers(entry.path())) PENSTOCK_TRY(remove(name.substr(kPrefix.size())));
    fs::remove_all(entry.path(), error);
    base::Log(base::LogLevel::kInfo, "removed what runtime {} left behind when it died", name.substr(kPrefix.size()));
  }
  return {};
}

}  // namespace penstock::container
