#include "session/share_key.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/sha256.h"

namespace penstock::session {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kMostEntries = 20'000;  // some tens of milliseconds

auto IsPassedOver(const std::string& name) -> bool { return name.starts_with('.') || name == "__pycache__"; }

auto IsWithin(const fs::path& path, const fs::path& directory) -> bool {
  return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first == directory.end();
}

// One look at all code of a folder. Each folder is entered once, under its own path if it has one in there; those that
// only links lead to come last, in the order of their links. So the result is the same however the disk lists them, and
// links in a circle end.
class Look final {
 public:
  explicit Look(const fs::path& directory) : directory_(directory) {
    std::error_code error;
    real_directory_ = fs::canonical(directory, error);
  }
  /// nullopt: too much to look at, or it changes under our hands.
  auto Take() -> std::optional<std::set<std::string>> {
    linked_.insert(directory_);
    while (!linked_.empty()) {
      if (!Enter(linked_.extract(linked_.begin()).value())) return std::nullopt;
    }
    return std::move(code_);
  }

 private:
  auto IsNew(const struct stat& folder) -> bool { return entered_.emplace(folder.st_dev, folder.st_ino).second; }

  auto Enter(const fs::path& folder) -> bool {
    struct stat status{};
    if (::stat(folder.c_str(), &status) != 0) return false;
    if (!IsNew(status)) return true;
    std::error_code error;
    fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      if (++entries_ > kMostEntries) return false;
      const auto& path = at->path();
      if (::stat(path.c_str(), &status) != 0) continue;  // a link to nowhere
      if (S_ISDIR(status.st_mode)) {
        const bool passed_over = IsPassedOver(path.filename().string());
        if (at->is_symlink(error)) {
          if (!passed_over) NoteLink(path);
        } else if (passed_over || !IsNew(status)) {
          at.disable_recursion_pending();
        }
      } else if (S_ISREG(status.st_mode) && (path.extension() == ".py" || path.extension() == ".so")) {
        code_.insert(fmt::format("{} {} {} {}.{} {}", path.string(), status.st_ino, status.st_size,
                                 status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec));
      }
    }
    return !error;
  }

  // Containers see the manifest's folder and cannot follow a link out of it: there may be anything, also very much.
  void NoteLink(const fs::path& link) {
    std::error_code error;
    const auto target = fs::canonical(link, error);
    if (error) return;
    code_.insert(fmt::format("{} -> {}", link.string(), target.string()));
    if (IsWithin(target, real_directory_)) linked_.insert(link);
  }

  fs::path directory_;
  fs::path real_directory_;
  std::set<std::string> code_;
  std::set<fs::path> linked_;  // yet to be entered
  std::set<std::pair<dev_t, ino_t>> entered_;
  std::size_t entries_ = 0;
};

}  // namespace

auto ShareKey(const plan::Plan& plan, const plan::Node& node, const WorkerCommand& command) -> std::string {
  const auto code = Look(plan.directory).Take();
  if (!code) return {};
  const nlohmann::json parts{command.argv, command.env,         command.cwd, node.node_type,
                             plan.modules, node.params->dump(), *code};
  return base::Sha256(parts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace penstock::session
