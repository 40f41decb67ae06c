// One process, or one thread of it, at a time: an advisory lock on a file, held as long as the object lives.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>

#include "base/deadline.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::base {

enum class LockMode {
  kExclusive,
  kShared,  // together with other shared holders
};

/// Lock on a file that is made when missing and never deleted: removing a lock file lets two processes lock
/// two files of one name. The kernel frees the lock when its holder ends, however it ends. Any thread.
class FileLock final {
 public:
  /// nullopt when somebody else holds it.
  static auto TryAcquire(const std::filesystem::path& path, LockMode mode = LockMode::kExclusive)
      -> Expected<std::optional<FileLock>>;
  /// Waits for the present holder. Errors: kDeadline, kCancelled, or the file cannot be opened.
  static auto Acquire(const std::filesystem::path& path, Deadline deadline, const std::stop_token& stop = {},
                      LockMode mode = LockMode::kExclusive) -> Expected<FileLock>;

 private:
  explicit FileLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace penstock::base
