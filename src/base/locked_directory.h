// A directory that says by a lock whether anybody uses it. Users hold the lock shared, who removes it holds it alone,
// and the kernel drops a lock with its holder: so that what a killed process left is told from what is in use.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::base {

/// One hold on such a directory; it ends with the object, the directory stays. Two holds of one process count as two
/// users. Any thread.
class LockedDirectory final {
 public:
  /// Makes `parent`/`name`, in use from the first moment that anybody can see it.
  static auto Create(const std::filesystem::path& parent, const std::string& name) -> Expected<LockedDirectory>;
  /// Becomes one more user. nullopt when it is being removed, or gone.
  static auto Join(const std::filesystem::path& path) -> std::optional<LockedDirectory>;
  /// Becomes its only user. nullopt when it is in use, being removed, or gone. An empty directory is removed.
  static auto Claim(const std::filesystem::path& path) -> std::optional<LockedDirectory>;

  auto path() const noexcept -> const std::filesystem::path& { return path_; }
  /// Ends this hold.
  void Leave() { lock_.reset(); }
  /// Ends this hold, except when it was the only one: then it is a claim, and true is the answer.
  auto ClaimIfLast() -> bool;
  /// Removes the directory. Only with a claim.
  void Remove() const;

 private:
  LockedDirectory(std::filesystem::path path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  static auto TryCreate(const std::filesystem::path& parent, const std::string& name) -> Expected<LockedDirectory>;
  static auto Lock(const std::filesystem::path& path, int operation) -> std::optional<LockedDirectory>;

  std::filesystem::path path_;
  UniqueFd lock_;
};

}  // namespace penstock::base
