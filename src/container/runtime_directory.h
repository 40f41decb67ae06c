// This runtime's directory under the user's runtime directory, and the proof of its life: a lock that the kernel drops
// with the process. What dead runtimes left (their directory and the records of their containers) is found by trying
// their locks.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::container {

class RuntimeDirectory final {
 public:
  /// Makes `{base::RuntimeDirectory}/{id}/` with its lock held until destruction, which removes it.
  static auto Create() -> base::Expected<RuntimeDirectory>;
  RuntimeDirectory(RuntimeDirectory&&) noexcept = default;
  auto operator=(RuntimeDirectory&&) noexcept -> RuntimeDirectory& = default;
  RuntimeDirectory(const RuntimeDirectory&) = delete;
  auto operator=(const RuntimeDirectory&) -> RuntimeDirectory& = delete;
  ~RuntimeDirectory();

  auto id() const noexcept -> const std::string& { return id_; }
  auto path() const noexcept -> const std::filesystem::path& { return path_; }

 private:
  RuntimeDirectory(std::string id, std::filesystem::path path, base::UniqueFd lock);
  std::string id_;
  std::filesystem::path path_;
  base::UniqueFd lock_;
};

/// Whether the runtime with this id (of this user, in the same runtime directory) lives: its lock is held.
auto IsAlive(const std::string& runtime_id) -> bool;

/// Calls `remove` with the id of every runtime of this user that has died with containers, its lock held meanwhile so
/// that nobody else does the same, and removes the directory when that succeeded. Costs one directory listing when
/// there are none.
auto SweepDeadRuntimes(const std::function<base::Status(const std::string& runtime_id)>& remove) -> base::Status;

}  // namespace penstock::container
