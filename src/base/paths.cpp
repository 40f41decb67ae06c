#include "base/paths.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace penstock::base {
namespace fs = std::filesystem;
namespace {

auto Environment(const char* name) -> std::string {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing in the process sets variables
  return value == nullptr ? std::string() : std::string(value);
}

auto Home() -> std::string {
  if (auto home = Environment("HOME"); !home.empty()) return home;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16384);
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return entry.pw_dir;
  return "/";
}

auto Private(const fs::path& path) -> Expected<fs::path> {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return SystemError(fmt::format("create '{}'", path.string()));
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return SystemError(fmt::format("look at '{}'", path.string()));
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid()) {
    return Fail(ErrorCode::kPermission,
                "'{}' is not a directory of user {}; remove it or point XDG_RUNTIME_DIR elsewhere", path.string(),
                ::geteuid());
  }
  return path;
}

auto Xdg(const char* variable, const char* below_home) -> fs::path {
  const auto value = Environment(variable);
  // The specification says to ignore relative values.
  const fs::path base = !value.empty() && value.front() == '/' ? fs::path(value) : fs::path(Home()) / below_home;
  return base / "penstock";
}

}  // namespace

auto StateDirectory() -> Expected<fs::path> { return Private(Xdg("XDG_STATE_HOME", ".local/state")); }
auto CacheDirectory() -> Expected<fs::path> { return Private(Xdg("XDG_CACHE_HOME", ".cache")); }

auto ConfigDirectory() -> fs::path { return Xdg("XDG_CONFIG_HOME", ".config"); }

auto RuntimeDirectory() -> Expected<fs::path> {
  const auto value = Environment("XDG_RUNTIME_DIR");
  if (!value.empty() && value.front() == '/') return Private(fs::path(value) / "penstock");
  if (::geteuid() == 0) return Private("/run/penstock");
  return Private(fmt::format("/tmp/penstock-{}", ::geteuid()));
}

auto InstallDirectory() -> Expected<fs::path> {
  if (auto home = Environment("PENSTOCK_HOME"); !home.empty()) return fs::path(home);
  std::error_code error;
  const auto executable = fs::read_symlink("/proc/self/exe", error);
  if (error) return Fail(ErrorCode::kInternal, "cannot find the running executable: {}", error.message());
  return executable.parent_path().parent_path();
}

}  // namespace penstock::base
