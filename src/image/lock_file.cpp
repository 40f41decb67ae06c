#include "image/lock_file.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <system_error>

#include "base/file.h"
#include "image/requirement.h"

namespace penstock::image {
namespace fs = std::filesystem;
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::size_t kLargest = std::size_t{64} << 20U;
constexpr std::string_view kHash = " --hash=sha256:";

// "name=version sha256:…" for Debian, and what pip reads for Python: "name==version --hash=sha256:…".
auto AptLine(const ResolvedPackage& package) -> std::string {
  return fmt::format("{}={} sha256:{}", package.name, package.version, package.sha256);
}
auto PipLine(const ResolvedPackage& package) -> std::string {
  return fmt::format("{}=={}{}{}", package.name, package.version, kHash, package.sha256);
}

// What the file says goes into command lines: only what looks like a package passes.
auto ParseLine(const std::string& line, const char* equals, std::string_view hash) -> Expected<ResolvedPackage> {
  static const std::regex kSha256("[0-9a-f]{64}");
  static const std::regex kPackage("[A-Za-z0-9.:+_-]+={1,2}[A-Za-z0-9.:+~!_-]+");
  const auto version = line.find(equals);
  const auto end = line.find(hash);
  if (version != std::string::npos && end != std::string::npos && version < end &&
      std::regex_match(line.substr(end + hash.size()), kSha256)) {
    const auto start = version + std::string_view(equals).size();
    ResolvedPackage package{line.substr(0, version), line.substr(start, end - start), line.substr(end + hash.size())};
    const auto text = line.substr(0, end);
    const bool debian = std::string_view(equals) == "=";
    const auto normal = debian ? NormaliseSystemPackage(text) : NormaliseRequirement(text);
    if (normal && *normal == text && std::regex_match(text, kPackage)) return package;
  }
  return Fail(ErrorCode::kInvalidArgument, "'{}' is no locked package", line);
}

auto ParseEnvironment(const json& value) -> Expected<LockedEnvironment> {
  LockedEnvironment locked;
  auto& asked = locked.asked;
  asked.python_version = value.at("python").get<std::string>();
  if (value.contains("base_image")) asked.base_image = value["base_image"].get<std::string>();
  if (value.contains("build")) {
    asked.build = ImageBuild{.written = value["build"].at("context").get<std::string>(),
                             .dockerfile = value["build"].at("dockerfile").get<std::string>()};
  }
  asked.system_packages = value.at("asked").at("system").get<std::vector<std::string>>();
  for (const auto& item : value.at("asked").at("python")) {
    asked.python_packages.push_back({item.at("package").get<std::string>(), item.value("no_deps", false)});
  }
  locked.base_reference = value.at("base").at("reference").get<std::string>();
  locked.base.layers = value.at("base").at("layers").get<std::vector<std::string>>();
  locked.base.arch = value.at("base").at("arch").get<std::string>();
  for (const auto& line : value.at("apt").get<std::vector<std::string>>()) {
    PENSTOCK_ASSIGN(auto package, ParseLine(line, "=", " sha256:"));
    locked.packages.apt.push_back(std::move(package));
  }
  for (const auto& line : value.at("pip").get<std::vector<std::string>>()) {
    PENSTOCK_ASSIGN(auto package, ParseLine(line, "==", kHash));
    locked.packages.pip.push_back(std::move(package));
  }
  return locked;
}

auto ToJson(const LockedEnvironment& locked) -> json {
  json asked{{"system", locked.asked.system_packages}, {"python", json::array()}};
  for (const auto& package : locked.asked.python_packages) {
    json item{{"package", package.requirement}};
    if (package.no_deps) item["no_deps"] = true;
    asked["python"].push_back(std::move(item));
  }
  json value{
      {"python", locked.asked.python_version},
      {"base", {{"reference", locked.base_reference}, {"layers", locked.base.layers}, {"arch", locked.base.arch}}},
      {"asked", std::move(asked)},
      {"apt", json::array()},
      {"pip", json::array()}};
  if (locked.asked.base_image) value["base_image"] = *locked.asked.base_image;
  if (const auto& build = locked.asked.build) {
    value["build"] = {{"context", build->written}, {"dockerfile", build->dockerfile}};
  }
  for (const auto& package : locked.packages.apt) value["apt"].push_back(AptLine(package));
  for (const auto& package : locked.packages.pip) value["pip"].push_back(PipLine(package));
  return value;
}

auto Bad(const fs::path& path, std::string_view why) -> tl::unexpected<base::Error> {
  return Fail(ErrorCode::kInvalidArgument,
              "the lock '{}' cannot be used: {}; write it anew with `penstock lock`, or remove it", path.string(), why);
}

}  // namespace

auto LockFile::PathBeside(const fs::path& manifest) -> fs::path {
  return fs::path(manifest).replace_extension(".lock");
}

auto LockFile::Load(const fs::path& path) -> Expected<std::optional<LockFile>> {
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  const auto text = base::ReadFile(path, kLargest);
  if (!text) return Bad(path, text.error().message());
  const auto value = json::parse(*text, nullptr, false);
  if (!value.is_object()) return Bad(path, "it is no JSON");
  try {
    if (value.at("version").get<int>() != kVersion) return Bad(path, "it is of another version of Penstock");
    LockFile file(path);
    for (const auto& item : value.at("environments")) {
      auto locked = ParseEnvironment(item);
      if (!locked) return Bad(path, locked.error().message());
      file.environments_.push_back(std::move(*locked));
    }
    return file;
  } catch (const json::exception& problem) {
    return Bad(path, problem.what());
  }
}

auto LockFile::Find(const EnvironmentSpec& spec) const -> Expected<LockedEnvironment> {
  PENSTOCK_ASSIGN(auto asked, Normalise(spec));
  asked.locked.reset();
  asked.locked_base.reset();
  const auto found = std::ranges::find(environments_, asked, &LockedEnvironment::asked);
  if (found != environments_.end()) return *found;
  return Fail(
      ErrorCode::kInvalidArgument,
      "the lock '{}' no longer fits its manifest: it has no environment with Python {}{} and these packages; run "
      "`penstock lock` again",
      path_.string(), asked.python_version, asked.base_image ? " on " + *asked.base_image : "");
}

auto LockFile::Add(const Contents& contents) -> Status {
  for (const auto* packages : {&contents.resolved.apt, &contents.resolved.pip}) {
    for (const auto& package : *packages) {
      if (!package.sha256.empty()) continue;
      return Fail(ErrorCode::kInvalidArgument, "'{}' {} cannot be locked: the file it came in is not known",
                  package.name, package.version);
    }
  }
  for (const auto& package : contents.spec.python_packages) {
    if (package.requirement.find(" @ git+") == std::string::npos) continue;
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' cannot be locked: a checkout has no hash; name a released file, or a package of an index",
                package.requirement);
  }
  environments_.push_back({contents.spec, contents.base_reference, contents.base, contents.resolved});
  return {};
}

auto LockFile::Write() const -> Status {
  json value{{"version", kVersion}, {"environments", json::array()}};
  for (const auto& locked : environments_) value["environments"].push_back(ToJson(locked));
  const fs::path temporary = path_.string() + fmt::format(".{}", ::getpid());
  std::ofstream stream(temporary);
  stream << value.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  stream.close();
  std::error_code error;
  if (stream) fs::rename(temporary, path_, error);
  if (stream && !error) return {};
  std::error_code ignored;
  fs::remove(temporary, ignored);
  return Fail(ErrorCode::kUnavailable, "cannot write '{}'{}{}", path_.string(), error ? ": " : "",
              error ? error.message() : "");
}

}  // namespace penstock::image
