#include "nodes/native/plugins.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include "base/paths.h"
#include "nodes/native/built_in.h"

namespace penstock::nodes::native {

namespace fs = std::filesystem;
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

namespace {

auto PluginsIn(const fs::path& folder) -> std::vector<fs::path> {
  std::vector<fs::path> plugins;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".so") plugins.push_back(entry.path());
  }
  std::ranges::sort(plugins);
  return plugins;
}

}  // namespace

auto FindPlugins() -> std::vector<fs::path> {
  std::vector<fs::path> plugins;
  if (const auto home = base::InstallDirectory()) plugins = PluginsIn(*home / "lib" / "penstock");
  const char* const named = std::getenv(kPluginPath);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  std::istringstream path(named == nullptr ? "" : named);
  for (std::string entry; std::getline(path, entry, ':');) {
    std::error_code ignored;
    if (entry.empty()) continue;
    if (fs::is_directory(entry, ignored)) {
      std::ranges::copy(PluginsIn(entry), std::back_inserter(plugins));
    } else {
      plugins.emplace_back(entry);
    }
  }
  return plugins;
}

}  // namespace penstock::nodes::native
