// Where Penstock keeps what it writes, by the XDG rules, and where its own files are installed.
#pragma once

#include <filesystem>

#include "base/error.h"

namespace penstock::base {

/// $XDG_STATE_HOME/penstock, else ~/.local/state/penstock. Created, 0700.
auto StateDirectory() -> Expected<std::filesystem::path>;
/// $XDG_CACHE_HOME/penstock, else ~/.cache/penstock. Created, 0700.
auto CacheDirectory() -> Expected<std::filesystem::path>;
/// $XDG_CONFIG_HOME/penstock, else ~/.config/penstock: the user's own, which may not exist.
auto ConfigDirectory() -> std::filesystem::path;
/// $XDG_RUNTIME_DIR/penstock, else /run/penstock for root, else /tmp/penstock-UID. Created, 0700, and refused
/// (kPermission) when it belongs to somebody else.
auto RuntimeDirectory() -> Expected<std::filesystem::path>;

/// What is mounted at /opt/penstock in containers: bin/penstock-agent, lib/, python/ (and share/docker/ beside them).
/// $PENSTOCK_HOME, else the directory above the one that holds the running executable.
auto InstallDirectory() -> Expected<std::filesystem::path>;

}  // namespace penstock::base
