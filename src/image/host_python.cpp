#include "image/host_python.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <vector>

#include "base/command.h"

namespace penstock::image {
namespace fs = std::filesystem;
namespace {

constexpr int kOldestMinor = 9;

auto Environment(const char* name) -> std::string {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing in the process sets variables
  return value == nullptr ? "" : value;
}

auto SplitPath(const std::string& list) -> std::vector<fs::path> {
  std::vector<fs::path> parts;
  for (std::size_t begin = 0; begin <= list.size();) {
    const auto end = std::min(list.find(':', begin), list.size());
    if (end > begin) parts.emplace_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// "3.10.13" of the interpreter, nullopt when it does not run.
auto AskVersion(const fs::path& executable, base::Deadline deadline) -> std::optional<std::string> {
  std::string version;
  const auto exit = base::RunCommand(
      {executable, "-I", "-c", "import platform; print(platform.python_version())"},
      [&](std::string_view line) { version = line; }, deadline);
  if (!exit || *exit != 0 || !version.starts_with("3.")) return std::nullopt;
  return version;
}

auto MinorOf(const std::string& version) -> int { return std::atoi(version.c_str() + 2); }  // after "3."

auto Directories() -> std::vector<fs::path> {
  std::vector<fs::path> directories;
  for (const auto& directory : SplitPath(Environment("PATH"))) {
    // A shim picks another interpreter by the working directory; pyenv's own folders are looked into below.
    if (directory.filename() != "shims") directories.push_back(directory);
  }
  auto pyenv = Environment("PYENV_ROOT");
  if (pyenv.empty()) pyenv = Environment("HOME") + "/.pyenv";
  std::vector<fs::path> versions;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(pyenv) / "versions", error))
    versions.push_back(entry.path() / "bin");
  std::ranges::sort(versions, std::greater<>());
  directories.insert(directories.end(), versions.begin(), versions.end());
  for (const auto& prefix : SplitPath(Environment("PENSTOCK_PYTHON_PREFIXES"))) directories.push_back(prefix / "bin");
  directories.insert(directories.end(), {"/usr/local/bin", "/usr/bin", "/opt/python/bin"});
  return directories;
}

auto IsVersion(const std::string& wanted) -> bool {
  return !wanted.empty() && wanted.front() >= '0' && wanted.front() <= '9';
}

auto NamesOf(const std::string& wanted) -> std::vector<std::string> {
  if (wanted.empty()) return {"python3", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"};
  if (!IsVersion(wanted)) return {wanted};
  return {"python" + wanted, "python3"};
}

}  // namespace

auto FindHostPython(const std::string& wanted, base::Deadline deadline) -> base::Expected<HostPython> {
  if (wanted.find('/') != std::string::npos) {
    const auto version = AskVersion(wanted, deadline);
    if (!version)
      return base::Fail(base::ErrorCode::kInvalidArgument, "'{}' does not run as a Python 3 interpreter", wanted);
    if (MinorOf(*version) < kOldestMinor) {
      return base::Fail(base::ErrorCode::kInvalidArgument, "'{}' is Python {}; nodes need 3.{} or newer", wanted,
                        *version, kOldestMinor);
    }
    return HostPython{.executable = wanted, .version = *version};
  }
  const auto directories = Directories();
  for (const auto& name : NamesOf(wanted)) {
    for (const auto& directory : directories) {
      const auto executable = directory / name;
      if (::access(executable.c_str(), X_OK) != 0) continue;
      const auto version = AskVersion(executable, deadline);
      if (!version || MinorOf(*version) < kOldestMinor) continue;
      if (!IsVersion(wanted) || version->starts_with(wanted + "."))
        return HostPython{.executable = executable, .version = *version};
    }
  }
  const auto what = wanted.empty()      ? fmt::format("Python 3.{} or newer", kOldestMinor)
                    : IsVersion(wanted) ? "Python " + wanted
                                        : fmt::format("'{}' that is Python 3.{} or newer", wanted, kOldestMinor);
  return base::Fail(base::ErrorCode::kUnavailable,
                    "no {} was found on this host (looked in PATH, pyenv and the usual places); install it, or say "
                    "where it is with the node's 'python: /path/to/python3' or with PENSTOCK_PYTHON_PREFIXES",
                    what);
}

}  // namespace penstock::image
