// How this host gets its packages, lent to the containers that download them: indexes, mirrors, proxies, logins, CAs.
//
// Everything goes through a private directory that is mounted read-only into the downloading container and deleted
// afterwards; nothing is passed in variables or build arguments, which an image's history would keep. The container
// that installs (and becomes the image) has no network and sees none of it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

namespace penstock::image {

/// What of the host matters here, as text; read by ReadHost, made by hand in tests.
struct Host {
  std::map<std::string, std::string> environment;
  std::filesystem::path root = "/";  // what absolute paths are looked up below
  std::string apt_options;           // output of `apt-config dump`; empty: no apt
  std::string apt_targets;           // lines "URI RELEASE ORIGIN COMPONENT" of the host's package indexes
};

/// This process's host. Runs apt-config and apt-get when they are there (not on every distribution).
auto ReadHost(base::Deadline deadline) -> Host;

struct HostConfig {
  struct LocalDirectory {
    std::filesystem::path host;  // existing directory of this host that pip's find-links names
    std::string name;            // of the empty directory below the configuration to mount it on
  };
  std::vector<LocalDirectory> find_links;
  /// An index or proxy is on this host's loopback: only a container that shares the host's network reaches it.
  bool needs_host_network = false;
};

/// Writes into `directory` (which exists, private, and will be seen as `mounted_at`):
/// `env` (a shell file to source), `pip.conf`, `ca.crt`, `netrc`, `client.pem`, `apt.conf`, `auth.conf`, `mirrors`
/// (shell: DEBIAN_MAIN, DEBIAN_SECURITY, DEBIAN_COMPONENTS). Files that have nothing to say are empty or absent.
auto WriteHostConfig(const Host& host, const std::filesystem::path& directory, const std::string& mounted_at)
    -> base::Expected<HostConfig>;

/// Writes `text` to a new private file.
auto WritePrivate(const std::filesystem::path& path, std::string_view text) -> base::Status;

}  // namespace penstock::image
