#include "plan/host_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include "manifest/env_file.h"
#include "manifest/report.h"

namespace penstock::plan {
namespace {
namespace fs = std::filesystem;

enum class Want { kAnything, kFile, kDirectory, kDevice };

/// What is wrong with `path`, as the end of "'…' …"; empty: nothing.
auto Problem(const fs::path& path, Want want) -> std::string {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) {
    if (status.type() == fs::file_type::not_found) return "does not exist";
    return fmt::format("cannot be looked at: {}", error.message());
  }
  const auto is_device = fs::is_character_file(status) || fs::is_block_file(status);
  if (want == Want::kFile && !fs::is_regular_file(status)) return "is not a file";
  if (want == Want::kDirectory && !fs::is_directory(status)) return "is not a directory";
  // The engine takes a directory too, and hands over the devices in it.
  if (want == Want::kDevice && !is_device && !fs::is_directory(status)) return "is not a device";
  if (want == Want::kFile && ::access(path.c_str(), R_OK) != 0) return "cannot be read by you";
  return {};
}

class FileCheck final {
 public:
  FileCheck(const manifest::Pipeline& pipeline, const HostFacts& host)
      : directory_(pipeline.directory), host_(host), report_(pipeline.file) {}

  void Node(const manifest::Node& node, const manifest::DockerSection& docker) {
    for (const auto& volume : docker.volumes) {
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

  auto Take() -> std::vector<base::Error> {
    auto all = report_.Take();
    for (auto& error : errors_) all.push_back(std::move(error));
    return all;
  }

 private:
  auto Expect(const manifest::Node& node, std::string_view what, const HostPath& file, Want want,
              const base::SourcePosition& at) -> bool {
    const auto problem = Problem(file.path, want);
    if (problem.empty()) return true;
    report_.AddAt(at, fmt::format("{} '{}' of node '{}' {}", what, file.path.string(), node.id, problem));
    return false;
  }

  void Build(const manifest::Node& node, const manifest::ImageBuild& build) {
    const auto context = Resolve(directory_, build.context);
    if (!Expect(node, "the build context", context, Want::kDirectory, build.at)) return;
    const auto dockerfile = build.dockerfile.value_or("Dockerfile");
    Expect(node, "the Dockerfile", {.written = dockerfile, .path = context.path / dockerfile}, Want::kFile, build.at);
  }

  fs::path directory_;
  const HostFacts& host_;
  manifest::Report report_;
  std::vector<base::Error> errors_;  // in other files
};

}  // namespace

auto CheckHostFiles(const manifest::Pipeline& pipeline, const HostFacts& host, PlacementOverride placement)
    -> std::vector<base::Error> {
  FileCheck check(pipeline, host);
  for (const auto& node : pipeline.nodes) {
    if (!node.docker) continue;
    if (placement == PlacementOverride::kAsDeclared) check.Node(node, *node.docker);
    check.Variables(node, *node.docker);
  }
  return check.Take();
}

}  // namespace penstock::plan
