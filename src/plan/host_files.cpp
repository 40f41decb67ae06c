#include "plan/host_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "manifest/env_file.h"
#include "manifest/report.h"

namespace penstock::plan {
namespace {
namespace fs = std::filesystem;

enum class Want { kAnything, kFile, kProgram, kDirectory, kDevice };

/// What is wrong with `path`, as the end of "'…' …"; empty: nothing.
auto Problem(const fs::path& path, Want want) -> std::string {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) {
    if (status.type() == fs::file_type::not_found) return "does not exist";
    return fmt::format("cannot be looked at: {}", error.message());
  }
  const auto is_device = fs::is_character_file(status) || fs::is_block_file(status);
  const bool is_file = want == Want::kFile || want == Want::kProgram;
  if (is_file && !fs::is_regular_file(status)) return "is not a file";
  if (want == Want::kDirectory && !fs::is_directory(status)) return "is not a directory";
  // The engine takes a directory too, and hands over the devices in it.
  if (want == Want::kDevice && !is_device && !fs::is_directory(status)) return "is not a device";
  if (want == Want::kFile && ::access(path.c_str(), R_OK) != 0) return "cannot be read by you";
  if (want == Want::kProgram && ::access(path.c_str(), X_OK) != 0) return "cannot be run by you";
  return {};
}

// With one of these root is not asked for permissions.
auto IsAboveModes(const manifest::Security& asked, const User& user) -> bool {
  constexpr std::array<std::string_view, 3> kRights{"ALL", "DAC_OVERRIDE", "DAC_READ_SEARCH"};
  return user.uid == 0 && std::ranges::find_first_of(asked.cap_add, kRights) != asked.cap_add.end();
}

/// What `chmod` needs so that `user` has `wanted` (of 4: read, 1: enter) at `path`, such as "o+rx"; empty: nothing, or
/// nobody can say (there is no such file, or it has an access control list). The engine mounts as root, so that the
/// folders above do not matter.
auto MissingRights(const fs::path& path, const User& user, unsigned wanted) -> std::string {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  if (::getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) > 0) return {};
  const bool is_owner = status.st_uid == user.uid;
  const bool is_group = !is_owner && status.st_gid == user.gid;
  const unsigned has = status.st_mode >> (is_owner ? 6U : is_group ? 3U : 0U) & 7U;
  if ((has & wanted) == wanted) return {};
  return fmt::format("{}+{}{}",
                     is_owner   ? "u"
                     : is_group ? "g"
                                : "o",
                     (wanted & 4U) != 0 ? "r" : "", (wanted & 1U) != 0 ? "x" : "");
}

constexpr unsigned kRead = 4;
constexpr unsigned kEnter = 1;

class FileCheck final {
 public:
  FileCheck(const manifest::Pipeline& pipeline, const HostFacts& host)
      : directory_(pipeline.directory), host_(host), report_(pipeline.file) {}

  void Node(const manifest::Node& node, const manifest::DockerSection& docker) {
    for (const auto& volume : docker.volumes) {
      if (volume.host_path.empty()) continue;  // the manifest has an error there
      Expect(node, "the volume", Resolve(directory_, volume.host_path), Want::kAnything, volume.host_at);
    }
    for (const auto& device : docker.devices) {
      Expect(node, "the device", {.written = device.host_path, .path = device.host_path}, Want::kDevice, device.at);
    }
    for (const auto& secret : docker.secrets) {
      Expect(node, fmt::format("the file of secret '{}',", secret.name), ResolveSecret(directory_, secret, host_),
             Want::kFile, secret.at);
    }
    if (docker.build) Build(node, *docker.build);
    Code(node, docker.security);
    const auto& security = docker.security;
    if (security.seccomp && *security.seccomp != "unconfined") {
      Expect(node, "the seccomp profile", Resolve(directory_, *security.seccomp), Want::kFile, security.seccomp_at);
    }
  }

  void Variables(const manifest::Node& node, const manifest::DockerSection& docker) {
    if (!docker.env_file) return;
    const auto file = Resolve(directory_, *docker.env_file);
    if (!Expect(node, "the file of variables", file, Want::kFile, docker.env_file_at)) return;
    if (auto variables = manifest::LoadEnvFile(file.path); !variables) {
      for (auto& error : variables.error()) errors_.push_back(std::move(error));
    }
  }

  void Interpreter(const manifest::Node& node) {
    if (!node.python || node.python->find('/') == std::string::npos) return;  // else it is looked for at the start
    Expect(node, "the interpreter", Resolve(directory_, *node.python), Want::kProgram, node.python_at);
  }

  auto Take() -> std::vector<base::Error> {
    auto all = report_.Take();
    for (auto& error : errors_) all.push_back(std::move(error));
    return all;
  }

 private:
  // The folder is where workers start; what their module and its packages are read from may be elsewhere, in the image.
  void Code(const manifest::Node& node, const manifest::Security& asked) {
    const auto user = UserOf(asked, host_);
    if (IsAboveModes(asked, user)) return;
    std::string_view module(node.node_type);
    module = module.substr(
        0, manifest::ClassifyNodeType(node.node_type) == manifest::NodeTypeKind::kPythonClass ? module.find(':') : 0);
    const auto first = std::string(module.substr(0, module.find('.')));
    const bool is_here = !first.empty() && (fs::exists(directory_ / first) || fs::exists(directory_ / (first + ".py")));
    ExpectRights(node, "the manifest's directory", directory_, user, is_here ? kRead | kEnter : kEnter);
    if (!is_here) return;
    auto path = directory_;
    for (;;) {
      const auto dot = module.find('.');
      path /= module.substr(0, dot);
      ExpectRights(node, "the package", path, user, kRead | kEnter);
      ExpectRights(node, "the file", path / "__init__.py", user, kRead);
      if (dot == std::string_view::npos) break;
      module.remove_prefix(dot + 1);
    }
    ExpectRights(node, "the file", path += ".py", user, kRead);
  }

  void ExpectRights(const manifest::Node& node, std::string_view what, const fs::path& path, const User& user,
                    unsigned wanted) {
    const auto missing = MissingRights(path, user, wanted);
    if (missing.empty() || !told_.emplace(path, user.uid).second) return;
    report_.AddAt(
        node.node_type_at,
        fmt::format("{0} '{1}', which containers see at /app, cannot be {2} by user {3}, as whom that of node "
                    "'{4}' runs: chmod {5} '{1}'",
                    what, path.lexically_normal().string(),
                    (wanted & kEnter) == 0  ? "read"
                    : (wanted & kRead) == 0 ? "entered"
                                            : "read and entered",
                    user.uid, node.id, missing));
  }

  auto Expect(const manifest::Node& node, std::string_view what, const HostPath& file, Want want,
              const base::SourcePosition& at) -> bool {
    const auto problem = Problem(file.path, want);
    if (problem.empty()) return true;
    report_.AddAt(at, fmt::format("{} '{}' of node '{}' {}", what, file.path.string(), node.id, problem));
    return false;
  }

  void Build(const manifest::Node& node, const manifest::ImageBuild& build) {
    if (build.context.empty()) return;  // the manifest has an error there
    const auto context = Resolve(directory_, build.context);
    if (!Expect(node, "the build context", context, Want::kDirectory, build.at)) return;
    const auto dockerfile = build.dockerfile.value_or("Dockerfile");
    Expect(node, "the Dockerfile", {.written = dockerfile, .path = context.path / dockerfile}, Want::kFile, build.at);
  }

  fs::path directory_;
  const HostFacts& host_;
  manifest::Report report_;
  std::vector<base::Error> errors_;  // in other files
  std::set<std::pair<fs::path, std::uint32_t>> told_;
};

}  // namespace

auto CheckHostFiles(const manifest::Pipeline& pipeline, const HostFacts& host, PlacementOverride placement)
    -> std::vector<base::Error> {
  FileCheck check(pipeline, host);
  for (const auto& node : pipeline.nodes) {
    if (!node.docker) {
      check.Interpreter(node);
      continue;
    }
    if (placement == PlacementOverride::kAsDeclared) check.Node(node, *node.docker);
    check.Variables(node, *node.docker);
  }
  return check.Take();
}

}  // namespace penstock::plan
