// The directories of one build, on the host: what its containers see as /mnt and /srv.
#pragma once

#include <filesystem>
#include <string>

#include "image/environment.h"
#include "image/host_config.h"

namespace penstock::image {

/// Owns a private directory with the host's configuration and the lists to install, and the build's own part of the
/// download cache; both go with it. What a killed process left is removed by the next build of the same environment,
/// and its configuration by the next build of any.
class Workspace final {
 public:
  static constexpr auto kConfigMount = "/mnt";
  static constexpr auto kCacheMount = "/srv";

  /// To be called with the lock of `identity` held (LockFile).
  static auto Create(const EnvironmentSpec& normalised, const std::string& identity, const std::string& interpreter,
                     const Host& host) -> base::Expected<Workspace>;
  Workspace(Workspace&& other) noexcept;
  auto operator=(Workspace&&) -> Workspace& = delete;
  ~Workspace();

  /// Held by whoever builds `identity`.
  static auto LockFile(const std::string& identity) -> base::Expected<std::filesystem::path>;
  /// Held together by all who are about to make a container of `identity`, and alone by who removes its image.
  static auto UseFile(const std::string& identity) -> base::Expected<std::filesystem::path>;

  /// /mnt of the container that downloads: fetch.sh, the lists and the host's configuration.
  auto fetch_directory() const -> std::filesystem::path { return private_ / "fetch"; }
  /// /mnt of the container that installs: install.sh and the lists.
  auto install_directory() const -> std::filesystem::path { return private_ / "install"; }
  /// /srv of both.
  auto cache() const noexcept -> const std::filesystem::path& { return cache_; }
  /// What of the host decides whether a build succeeds, as a hash: scripts, settings, what local directories hold.
  auto Fingerprint() const -> std::string;
  /// What the downloading container has said about the packages it got: their names, versions and hashes.
  auto ReadHashes() const -> Resolved;
  auto host_config() const noexcept -> const HostConfig& { return host_config_; }

 private:
  Workspace(std::filesystem::path private_directory, std::filesystem::path cache, std::filesystem::path build)
      : private_(std::move(private_directory)), cache_(std::move(cache)), build_(std::move(build)) {}
  auto Fill(const EnvironmentSpec& spec, const std::string& interpreter, const Host& host) -> base::Status;

  std::filesystem::path private_;  // empty once moved from
  std::filesystem::path cache_;
  std::filesystem::path build_;
  HostConfig host_config_;
};

}  // namespace penstock::image
