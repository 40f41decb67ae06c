#include "session/share_key.h"

#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/sha256.h"

namespace penstock::session {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kMostEntries = 20'000;  // some tens of milliseconds

auto IsPassedOver(const std::string& name) -> bool { return name.starts_with('.') || name == "__pycache__"; }

// nullopt: too much to look at, or it changes under our hands.
auto CodeIn(const fs::path& directory) -> std::optional<std::set<std::string>> {
  std::set<std::string> code;
  std::error_code error;
  std::size_t entries = 0;
  fs::recursive_directory_iterator at(directory, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (++entries > kMostEntries) return std::nullopt;
    const auto& path = at->path();
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) continue;  // a link to nowhere
    if (S_ISDIR(status.st_mode) && IsPassedOver(path.filename().string())) at.disable_recursion_pending();
    if (!S_ISREG(status.st_mode) || (path.extension() != ".py" && path.extension() != ".so")) continue;
    code.insert(fmt::format("{} {} {} {}.{} {}", path.string(), status.st_ino, status.st_size, status.st_mtim.tv_sec,
                            status.st_mtim.tv_nsec, status.st_ctim.tv_sec));
  }
  if (error) return std::nullopt;
  return code;
}

}  // namespace

auto ShareKey(const plan::Plan& plan, const plan::Node& node, const WorkerCommand& command) -> std::string {
  const auto code = CodeIn(plan.directory);
  if (!code) return {};
  const nlohmann::json parts{command.argv, command.env,         command.cwd, node.node_type,
                             plan.modules, node.params->dump(), *code};
  return base::Sha256(parts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace penstock::session
