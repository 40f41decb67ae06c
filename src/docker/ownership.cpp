#include "docker/ownership.h"

#include <unistd.h>

#include <system_error>

#include "base/paths.h"

namespace penstock::docker {
namespace fs = std::filesystem;

auto EntriesDirectory() -> base::Expected<fs::path> {
  PENSTOCK_ASSIGN(const auto home, base::RuntimeDirectory());
  auto path = home / "c";
  std::error_code error;
  fs::create_directory(path, error);
  if (error) return base::Fail(base::ErrorCode::kUnavailable, "cannot create '{}': {}", path.string(), error.message());
  return path;
}

auto EngineName(const fs::path& entry) -> std::string { return "penstock-" + entry.filename().string(); }

auto EntryLabels(const fs::path& entry) -> StringMap {
  return {{kUserLabel, std::to_string(::getuid())},
          {kDirectoryLabel, entry.parent_path()},
          {kEntryLabel, entry.filename()}};
}

auto NoEntryLabels() -> StringMap { return {{kUserLabel, ""}, {kDirectoryLabel, ""}, {kEntryLabel, ""}}; }

}  // namespace penstock::docker
