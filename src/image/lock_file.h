// A lock: the exact packages of every environment of a manifest, with hashes, in a file beside it.
//
// `penstock lock` writes it from environments that exist; with it in place a build installs exactly that, on whatever
// machine. An environment is found in it by what the manifest asks for, so that a changed list is noticed. The base
// image belongs to it by its content: upon another one the same packages may not fit.
//
// What a lock does not hold: the build tools that a source package asks for while it is made into a wheel.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "image/contents.h"

namespace penstock::image {

struct LockedEnvironment {
  EnvironmentSpec asked;  // normalised, without lock
  std::string base_reference;
  BaseContent base;
  Resolved packages;
};

class LockFile final {
 public:
  /// "pipeline.lock" of "pipeline.yaml".
  static auto PathBeside(const std::filesystem::path& manifest) -> std::filesystem::path;
  /// nullopt when there is none. Errors: kInvalidArgument with what is wrong with it.
  static auto Load(const std::filesystem::path& path) -> base::Expected<std::optional<LockFile>>;

  /// What is locked for what `spec` asks for. Errors: kInvalidArgument: the lock no longer fits.
  auto Find(const EnvironmentSpec& spec) const -> base::Expected<LockedEnvironment>;

  LockFile() = default;
  explicit LockFile(std::filesystem::path path) : path_(std::move(path)) {}
  /// Errors: kInvalidArgument for what cannot be locked: a package without a file of its own, such as a checkout.
  auto Add(const Contents& contents) -> base::Status;
  /// Replaces the file as a whole.
  auto Write() const -> base::Status;
  auto path() const noexcept -> const std::filesystem::path& { return path_; }
  auto environments() const noexcept -> const std::vector<LockedEnvironment>& { return environments_; }

 private:
  std::filesystem::path path_;
  std::vector<LockedEnvironment> environments_;
};

}  // namespace penstock::image
