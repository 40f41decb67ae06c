#include "image/workspace.h"

#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <system_error>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "image/owner.h"
#include "image/requirement.h"

namespace penstock::image {
namespace fs = std::filesystem;
using base::Expected;
using base::Status;
namespace {

auto MakePrivate(const fs::path& path) -> Status {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return base::SystemError(fmt::format("make '{}'", path.string()));
  return {};
}

void Remove(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) base::Log(base::LogLevel::kWarning, "cannot remove '{}': {}", path.string(), error.message());
}

auto Below(Expected<fs::path> parent, const char* name) -> Expected<fs::path> {
  PENSTOCK_ASSIGN(auto path, std::move(parent));
  path /= name;
  PENSTOCK_TRY(MakePrivate(path));
  return path;
}

auto BuildsDirectory() -> Expected<fs::path> { return Below(base::RuntimeDirectory(), "builds"); }

// Of a build, in directories that other owners use too.
auto DirectoryName(const std::string& identity, const std::string& owner) -> std::string {
  return identity + "." + owner;
}

// Logins of builds whose process was killed: theirs is every directory of this owner whose lock is free.
void RemoveAbandoned(const fs::path& builds, const std::string& owner) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(builds, error)) {
    const auto identity = entry.path().stem().string();
    if (entry.path().filename() != DirectoryName(identity, owner)) continue;
    const auto lock_file = Workspace::LockFile(identity);
    if (!lock_file) continue;
    const auto lock = base::FileLock::TryAcquire(*lock_file);
    if (lock && *lock) Remove(entry.path());
  }
}

// The address in "name @ address ; marker"; empty for a package of an index.
auto UrlOf(const std::string& requirement) -> std::string {
  const auto at = requirement.find(" @ ");
  if (at == std::string::npos) return {};
  return requirement.substr(at + 3, requirement.find(" ; ", at) - at - 3);
}

// In the download container, and in the other one from what the first has put into the cache: there, a URL is a name.
auto InstallLine(const std::string& requirement) -> std::string {
  const auto at = requirement.find(" @ ");
  if (at == std::string::npos) return requirement;
  const auto marker = requirement.find(" ; ", at);
  return requirement.substr(0, at) + (marker == std::string::npos ? "" : requirement.substr(marker));
}

struct Lists {
  std::string system;
  std::string python;
  std::string no_deps;
};

void ListAsked(const EnvironmentSpec& spec, Lists& fetch, Lists& install) {
  for (const auto& package : spec.system_packages) fetch.system += package + "\n";
  for (const auto& package : spec.python_packages) {
    (package.no_deps ? fetch.no_deps : fetch.python) += package.requirement + "\n";
    (package.no_deps ? install.no_deps : install.python) += InstallLine(package.requirement) + "\n";
  }
}

// A lock is complete: nothing is added to it by what its packages say that they need.
void ListLocked(const EnvironmentSpec& spec, Lists& fetch, Lists& install) {
  for (const auto& package : spec.locked->apt) fetch.system += fmt::format("{}={}\n", package.name, package.version);
  for (const auto& package : spec.locked->pip) {
    const auto asked = std::ranges::find(spec.python_packages, package.name,
                                         [](const auto& item) { return RequirementName(item.requirement); });
    const auto exact = fmt::format("{}=={}", package.name, package.version);
    const auto source = asked == spec.python_packages.end() ? std::string() : UrlOf(asked->requirement);
    fetch.no_deps +=
        fmt::format("{} --hash=sha256:{}\n", source.empty() ? exact : package.name + " @ " + source, package.sha256);
    install.no_deps += exact + "\n";
  }
}

// Lists, settings and bundles of certificates.
constexpr std::size_t kLargestText = std::size_t{64} << 20U;

auto ReadText(const fs::path& path) -> std::string {
  return base::ReadFile(path, kLargestText).value_or(std::string());
}

// "foo_bar-1.0-py3-none-any.whl" → foo-bar, 1.0
auto OfWheel(const std::string& hash, const std::string& wheel) -> std::optional<ResolvedPackage> {
  const auto name_end = wheel.find('-');
  const auto version_end = wheel.find('-', name_end + 1);
  if (name_end == std::string::npos || version_end == std::string::npos) return std::nullopt;
  const auto name = NormaliseRequirement(wheel.substr(0, name_end));
  if (!name) return std::nullopt;
  return ResolvedPackage{*name, wheel.substr(name_end + 1, version_end - name_end - 1), hash};
}

auto WriteLists(const fs::path& directory, const Lists& lists, const std::string& build) -> Status {
  PENSTOCK_TRY(WritePrivate(directory / "system", lists.system));
  PENSTOCK_TRY(WritePrivate(directory / "requirements.txt", lists.python));
  PENSTOCK_TRY(WritePrivate(directory / "requirements-no-deps.txt", lists.no_deps));
  return WritePrivate(directory / "build", build);
}

auto CopyScript(const char* name, const fs::path& directory) -> Status {
  PENSTOCK_ASSIGN(const auto install, base::InstallDirectory());
  const auto source = install / "share/docker/scripts/environment" / name;
  std::error_code error;
  fs::copy_file(source, directory / name, error);
  if (error) {
    return base::Fail(base::ErrorCode::kUnavailable,
                      "cannot read '{}' ({}); the installation of Penstock is incomplete", source.string(),
                      error.message());
  }
  return {};
}

}  // namespace

auto Workspace::LockFile(const std::string& identity) -> Expected<fs::path> {
  PENSTOCK_ASSIGN(const auto locks, Below(base::StateDirectory(), "locks"));
  return locks / ("environment-" + identity);
}

auto Workspace::UseFile(const std::string& identity) -> Expected<fs::path> {
  PENSTOCK_ASSIGN(const auto locks, Below(base::StateDirectory(), "locks"));
  return locks / ("use-" + identity);
}

auto Workspace::Fingerprint() const -> std::string {
  std::vector<std::string> facts;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fetch_directory(), error)) {
    if (entry.is_regular_file(error)) {
      facts.push_back(fmt::format("{} {}", entry.path().filename().string(), base::Sha256(ReadText(entry.path()))));
    }
  }
  for (const auto& lent : host_config_.find_links) {
    for (const auto& entry : fs::directory_iterator(lent.host, error)) {
      facts.push_back(fmt::format("{} {} {}", entry.path().string(),
                                  entry.is_regular_file(error) ? entry.file_size(error) : 0,
                                  entry.last_write_time(error).time_since_epoch().count()));
    }
  }
  std::ranges::sort(facts);
  return base::Sha256(fmt::format("{}", fmt::join(facts, "\n")));
}

auto Workspace::ReadHashes() const -> Resolved {
  Resolved found;
  std::string hash;
  std::string name;
  std::string version;
  for (std::istringstream lines(ReadText(build_ / "hashes-apt")); lines >> hash >> name >> version;) {
    found.apt.push_back({name, version, hash});
  }
  // What is installed without dependencies comes last and wins.
  for (const auto* file : {"hashes-wheels-no-deps", "hashes-wheels"}) {
    for (std::istringstream lines(ReadText(build_ / file)); lines >> hash >> name;) {
      auto package = OfWheel(hash, name);
      if (package && std::ranges::find(found.pip, package->name, &ResolvedPackage::name) == found.pip.end()) {
        found.pip.push_back(std::move(*package));
      }
    }
  }
  return found;
}

auto Workspace::Create(const EnvironmentSpec& normalised, const std::string& identity, const std::string& interpreter,
                       const Host& host) -> Expected<Workspace> {
  PENSTOCK_ASSIGN(const auto builds, BuildsDirectory());
  PENSTOCK_ASSIGN(const auto owner, Owner());
  RemoveAbandoned(builds, owner);
  PENSTOCK_ASSIGN(const auto cache, Below(base::CacheDirectory(), "packages"));
  PENSTOCK_ASSIGN(const auto cache_builds, Below(cache, "builds"));

  const auto name = DirectoryName(identity, owner);
  Workspace workspace(builds / name, cache, cache_builds / name);
  Remove(workspace.private_);
  Remove(workspace.build_);
  for (const auto& directory : {workspace.private_, workspace.fetch_directory(), workspace.install_directory(),
                                workspace.build_, workspace.build_ / "wheels", workspace.build_ / "wheels-no-deps"}) {
    PENSTOCK_TRY(MakePrivate(directory));
  }
  PENSTOCK_TRY(workspace.Fill(normalised, interpreter, host));
  return workspace;
}

auto Workspace::Fill(const EnvironmentSpec& spec, const std::string& interpreter, const Host& host) -> Status {
  Lists fetch;
  Lists install;
  (spec.locked ? ListLocked : ListAsked)(spec, fetch, install);
  install.system = fetch.system;
  if (spec.locked) {
    std::string debs;
    for (const auto& package : spec.locked->apt) {
      debs += fmt::format("{} {} {}\n", package.sha256, package.name, package.version);
    }
    PENSTOCK_TRY(WritePrivate(fetch_directory() / "debs.lock", debs));
  }
  const auto build =
      fmt::format("BUILD_ID={}\nPYTHON='{}'\nPYTHON_VERSION={}\nCACHE_UID={}\nCACHE_GID={}\n",
                  build_.filename().string(), interpreter, spec.python_version, ::geteuid(), ::getegid());
  PENSTOCK_TRY(WriteLists(fetch_directory(), fetch, build));
  PENSTOCK_TRY(WriteLists(install_directory(), install, build));
  PENSTOCK_TRY(CopyScript("fetch.sh", fetch_directory()));
  PENSTOCK_TRY(CopyScript("install.sh", install_directory()));
  PENSTOCK_ASSIGN(host_config_, WriteHostConfig(host, fetch_directory(), kConfigMount));
  return {};
}

Workspace::Workspace(Workspace&& other) noexcept
    : private_(std::move(other.private_)),
      cache_(std::move(other.cache_)),
      build_(std::move(other.build_)),
      host_config_(std::move(other.host_config_)) {
  other.private_.clear();
}

Workspace::~Workspace() {
  if (private_.empty()) return;
  Remove(private_);
  Remove(build_);
}

}  // namespace penstock::image
