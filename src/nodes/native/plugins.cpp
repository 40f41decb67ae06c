#include "nodes/native/plugins.h"

#include <dlfcn.h>

#include <algorithm>

#include "base/paths.h"
#include "nodes/native/built_in.h"

namespace penstock::nodes::native {

using base::ErrorCode;
using base::Fail;

PluginRegistry::PluginRegistry() { static_cast<void>(Add(BuiltInNodes(), "this worker")); }

auto PluginRegistry::Load(const std::filesystem::path& path) -> base::Status {
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return Fail(ErrorCode::kNotFound, "cannot load the plugin '{}': {}", path.string(), ::dlerror());
  const auto entry = reinterpret_cast<PluginEntry>(::dlsym(library, kPluginEntry));
  if (entry == nullptr)
    return Fail(ErrorCode::kUnsupported, "'{}' is not a plugin: it has no symbol {}", path.string(), kPluginEntry);
  const auto* plugin = entry();
  if (plugin == nullptr || plugin->abi_version != Plugin::kAbiVersion) {
    return Fail(
        ErrorCode::kUnsupported,
        "the plugin '{}' was built for version {} of the plugin interface, this worker has version {}: rebuild it",
        path.string(), plugin == nullptr ? 0 : plugin->abi_version, Plugin::kAbiVersion);
  }
  return Add(*plugin, path.string());
}

auto PluginRegistry::Add(const Plugin& plugin, const std::string& origin) -> base::Status {
  for (const auto& node : std::span(plugin.nodes, plugin.node_count)) {
    if (Find(node.name) != nullptr)
      return Fail(ErrorCode::kConflict, "'{}' brings a node '{}', which exists already", origin, node.name);
    nodes_.push_back(&node);
  }
  return {};
}

auto PluginRegistry::Find(std::string_view node_type) const -> const PluginNode* {
  const auto found =
      std::find_if(nodes_.begin(), nodes_.end(), [node_type](const auto* node) { return node->name == node_type; });
  return found == nodes_.end() ? nullptr : *found;
}

auto InstalledPlugins() -> std::vector<std::filesystem::path> {
  std::vector<std::filesystem::path> plugins;
  const auto directory = base::InstallDirectory();
  if (!directory) return plugins;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(*directory / "lib" / "penstock", ignored)) {
    if (entry.path().extension() == ".so") plugins.push_back(entry.path());
  }
  std::sort(plugins.begin(), plugins.end());
  return plugins;
}

}  // namespace penstock::nodes::native
