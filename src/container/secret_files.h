// The files of secrets while a container starts: copies that its user can read, mounted one by one.
//
// A copy, because the original is its owner's alone as it should be, and the container's user may be another. It lies
// in the runtime's private directory only until the container runs: its mount keeps the file alive when the name is
// gone. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "docker/types.h"
#include "plan/container_spec.h"

namespace penstock::container {

class SecretFiles final {
 public:
  /// Copies into `directory`, which must be private to this user. Errors: a secret's file cannot be read, is empty, or
  /// larger than a mebibyte. None contains anything of it.
  static auto Copy(const plan::ContainerSpec& plan, const std::filesystem::path& directory)
      -> base::Expected<SecretFiles>;

  SecretFiles(SecretFiles&&) noexcept = default;
  auto operator=(SecretFiles&&) noexcept -> SecretFiles& = default;
  SecretFiles(const SecretFiles&) = delete;
  auto operator=(const SecretFiles&) -> SecretFiles& = delete;
  /// Removes the copies' names.
  ~SecretFiles();

  auto mounts() const noexcept -> const std::vector<docker::BindMount>& { return mounts_; }

 private:
  SecretFiles() = default;
  std::vector<docker::BindMount> mounts_;
};

}  // namespace penstock::container
