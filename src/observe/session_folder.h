// The folder of one session's log below the state directory, and what is known about all of them.
//
// While its runtime lives, the folder is locked; the kernel drops the lock however the runtime ends. That is how others
// know whether a log can still grow, and whether it may be removed.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::observe {

/// Held by the session's runtime.
class SessionFolder final {
 public:
  /// Makes `sessions`/`session` and locks it.
  static auto Create(const std::filesystem::path& sessions, const std::string& session)
      -> base::Expected<SessionFolder>;

  auto path() const noexcept -> const std::filesystem::path& { return path_; }

 private:
  SessionFolder(std::filesystem::path path, base::UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  base::UniqueFd lock_;
};

/// $XDG_STATE_HOME/penstock/sessions.
auto SessionsDirectory() -> base::Expected<std::filesystem::path>;
/// Ids of the sessions that have a folder, oldest first.
auto ListSessions(const std::filesystem::path& sessions) -> std::vector<std::string>;
/// The one session whose id begins with `prefix`; the newest for an empty one. Errors: kNotFound and kConflict, both
/// with the ids that exist.
auto FindSession(const std::filesystem::path& sessions, std::string_view prefix) -> base::Expected<std::string>;

/// Whether the session's runtime lives.
auto IsLive(const std::filesystem::path& folder) -> bool;
/// Blocks until it does not. Not interruptible: for a thread that may be left behind.
void AwaitEnd(const std::filesystem::path& folder);

struct KeepSessions {
  unsigned count = 200;                            // the newest so many
  std::chrono::hours age = std::chrono::days(14);  // since the session began
  std::uint64_t bytes = std::uint64_t{2} << 30U;   // of all logs together
};

/// Removes the logs of sessions beyond what is kept, oldest first; never of one that is live or being followed.
void PruneSessions(const std::filesystem::path& sessions, const KeepSessions& keep);

}  // namespace penstock::observe
