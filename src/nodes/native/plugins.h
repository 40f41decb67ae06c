// The nodes that a native worker knows: its own, and those of plugins.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "nodes/node.h"

namespace penstock::nodes::native {

inline constexpr const char* kPluginPath = "PENSTOCK_PLUGIN_PATH";

class PluginRegistry final {
 public:
  /// With the nodes that are linked in.
  PluginRegistry();

  /// Loads a plugin for the life of the process. Errors: kNotFound, kUnsupported (built for another version), kConflict
  /// (a name that exists already).
  auto Load(const std::filesystem::path& path) -> base::Status;

  auto Find(std::string_view node_type) const -> const PluginNode*;
  auto nodes() const noexcept -> const std::vector<const PluginNode*>& { return nodes_; }

 private:
  auto Add(const Plugin& plugin, const std::string& origin) -> base::Status;
  std::vector<const PluginNode*> nodes_;
};

/// lib/penstock/*.so of the installation, then what PENSTOCK_PLUGIN_PATH names: folders, whose *.so count, and files,
/// with colons between them. Those of a folder are sorted. What does not exist is there too, so that its loading says
/// so.
auto FindPlugins() -> std::vector<std::filesystem::path>;

}  // namespace penstock::nodes::native
