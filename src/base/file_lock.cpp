#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace penstock::base {
namespace {

auto Open(const std::filesystem::path& path) -> Expected<UniqueFd> {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return SystemError(fmt::format("open the lock '{}'", path.string()));
  return file;
}

auto Operation(LockMode mode) -> int { return mode == LockMode::kShared ? LOCK_SH : LOCK_EX; }

// What the waiting thread and the one that gave it the job share; whoever is last frees it, and with it the lock.
struct Wait {
  std::mutex mutex;
  std::condition_variable_any changed;
  UniqueFd file;
  bool locked = false;
  int error = 0;
};

}  // namespace

auto FileLock::TryAcquire(const std::filesystem::path& path, LockMode mode) -> Expected<std::optional<FileLock>> {
  PENSTOCK_ASSIGN(auto file, Open(path));
  if (::flock(file.get(), Operation(mode) | LOCK_NB) == 0) return FileLock(std::move(file));
  if (errno == EWOULDBLOCK) return std::nullopt;
  return SystemError(fmt::format("lock '{}'", path.string()));
}

auto FileLock::Acquire(const std::filesystem::path& path, Deadline deadline, const std::stop_token& stop, LockMode mode)
    -> Expected<FileLock> {
  PENSTOCK_ASSIGN(auto at_once, TryAcquire(path, mode));
  if (at_once) return std::move(*at_once);

  // flock(2) knows neither deadlines nor stop tokens and must not be interrupted by signals that belong to others, so a
  // thread of its own waits in it. When we give up first, that thread outlives this call and lets go as soon as it has
  // the lock.
  auto wait = std::make_shared<Wait>();
  PENSTOCK_ASSIGN(wait->file, Open(path));
  std::thread([wait, operation = Operation(mode)] {
    int result = 0;
    do result = ::flock(wait->file.get(), operation);
    while (result != 0 && errno == EINTR);
    const std::lock_guard lock(wait->mutex);
    wait->locked = result == 0;
    wait->error = result == 0 ? 0 : errno;
    wait->changed.notify_all();
  }).detach();

  std::unique_lock lock(wait->mutex);
  const auto decided = [&] { return wait->locked || wait->error != 0; };
  if (deadline.never()) {
    wait->changed.wait(lock, stop, decided);
  } else {
    wait->changed.wait_until(lock, stop, *deadline.time(), decided);
  }
  if (wait->locked) return FileLock(std::move(wait->file));
  if (wait->error != 0) return SystemError(fmt::format("lock '{}'", path.string()), wait->error);
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped while waiting for '{}'", path.string());
  return Fail(ErrorCode::kDeadline, "somebody else still holds the lock '{}'", path.string());
}

}  // namespace penstock::base
