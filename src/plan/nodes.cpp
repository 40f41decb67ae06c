#include "plan/nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "manifest/mounts.h"
#include "manifest/suggest.h"

namespace penstock::plan {
namespace {

auto ContainerEnvironment(const manifest::DockerSection& docker, const std::filesystem::path& directory)
    -> Environment {
  Environment environment;
  environment.python_version = docker.python_version;
  environment.base_image = docker.base_image;
  if (docker.build) {
    environment.build = ImageBuild{.context = Resolve(directory, docker.build->context),
                                   .dockerfile = docker.build->dockerfile.value_or("Dockerfile")};
  }
  environment.system_packages = docker.system_dependencies;
  environment.python_packages = docker.python_packages;
  return environment;
}

void PlaceInContainer(const manifest::Node& node, const Surroundings& around, manifest::Report& report, Node& planned) {
  planned.placement = Placement::kContainer;
  planned.reason = "has a docker section";
  planned.environment = ContainerEnvironment(*node.docker, around.directory);
  planned.container = ResolveContainer(node.id, *node.docker, around.directory, around.host, report);
  if (planned.container->max_sessions > 1 && around.host.separates_workers == false) {
    planned.notes.emplace_back(
        "sessions that share its container can look into each other, as this kernel has no Landlock: 'sharing: "
        "exclusive' keeps them apart");
  }
}

/// What of the docker section a process on the host goes without.
void NoteWhatIsLeftOut(const manifest::DockerSection& docker, Node& planned) {
  planned.notes.push_back("without a container: no limits, and the rights of the user who runs it");
  if (docker.base_image) planned.notes.push_back(fmt::format("the base image '{}' is not used", *docker.base_image));
  if (docker.build) {
    planned.notes.push_back(fmt::format("the image of the build context '{}' is not used", docker.build->context));
  }
  if (!docker.system_dependencies.empty()) {
    planned.notes.push_back("system packages must be installed on this host already");
  }
  for (const auto& volume : docker.volumes) {
    planned.notes.push_back(fmt::format("the volume {} is not at {}", volume.host_path, volume.container_path));
  }
  for (const auto& secret : docker.secrets) {
    planned.notes.push_back(
        fmt::format("the secret '{}' is not at {}/{}", secret.name, manifest::kSecretsTarget, secret.name));
  }
}

/// `--placement process`: the same packages, none of the walls.
void PlaceOnHostInstead(const manifest::DockerSection& docker, const std::filesystem::path& directory, Node& planned) {
  planned.placement = Placement::kProcess;
  planned.reason = "--placement process, instead of its container";
  planned.environment = ContainerEnvironment(docker, directory);
  planned.environment->base_image.reset();
  planned.environment->build.reset();
  planned.notes.push_back(fmt::format("runs in a virtual environment of Python {} on this host, with the same packages",
                                      docker.python_version));
  NoteWhatIsLeftOut(docker, planned);
}

void PlaceAsProcess(const manifest::Node& node, const std::filesystem::path& directory, Node& planned) {
  planned.placement = Placement::kProcess;
  planned.reason = "Python without a docker section";
  Environment environment;
  // Three forms: a version, a path, a name to look up. Only the first says which Python it is.
  const auto is_version = node.python && node.python->find_first_not_of("0123456789.") == std::string::npos;
  if (is_version) {
    environment.python_version = *node.python;
  } else if (node.python) {
    const bool is_path = node.python->find('/') != std::string::npos;
    environment.interpreter = is_path ? Resolve(directory, *node.python).path.string() : *node.python;
  }
  environment.python_packages = node.python_packages;
  planned.environment = std::move(environment);
  if (!node.python_packages.empty()) planned.notes.push_back("runs in a virtual environment of its own on this host");
}

void PlaceAsNative(const manifest::Node& node, const HostFacts& host, manifest::Report& report, Node& planned) {
  planned.placement = Placement::kNative;
  planned.reason = "a native node";
  if (host.native_nodes.empty() || std::ranges::find(host.native_nodes, node.node_type) != host.native_nodes.end())
    return;
  const std::vector<std::string_view> known(host.native_nodes.begin(), host.native_nodes.end());
  report.AddAt(node.node_type_at,
               fmt::format("there is no native node '{}'{}", node.node_type, manifest::Suggest(node.node_type, known)));
}

auto PlanRestart(const manifest::Node& node) -> std::optional<Restart> {
  const bool asks =
      node.on_failure == manifest::OnFailure::kRestart || (node.retry && node.on_failure != manifest::OnFailure::kFail);
  if (!asks) return std::nullopt;
  const auto retry = node.retry.value_or(manifest::Retry{});
  return Restart{.max_attempts = retry.max_attempts.value_or(kDefaultMaxAttempts),
                 .backoff = retry.backoff.value_or(kDefaultBackoff),
                 .window = retry.window.value_or(kDefaultRetryWindow)};
}

/// Fields of older manifests that are carried along and shown, so that nobody takes them for settings.
void NoteWhatIsOnlyShown(const manifest::Node& node, Node& planned) {
  if (node.is_streaming) planned.notes.push_back(fmt::format("is_streaming: {} (no effect)", *node.is_streaming));
  if (node.runtime_hint) {
    planned.notes.push_back(fmt::format("runtime_hint: {} (no effect)", manifest::ToString(*node.runtime_hint)));
  }
  if (!node.capabilities->is_null()) {
    planned.notes.push_back(fmt::format("capabilities: {} (no effect)", node.capabilities->dump()));
  }
}

}  // namespace

auto PlaceNode(const manifest::Node& node, const Surroundings& around, manifest::Report& report) -> Node {
  Node planned;
  planned.id = node.id;
  planned.node_type = node.node_type;
  planned.kind = *manifest::ClassifyNodeType(node.node_type);
  planned.params = node.params;
  planned.start_timeout = node.start_timeout.value_or(kDefaultNodeStartTimeout);
  planned.restart = PlanRestart(node);
  planned.skip = node.on_failure == manifest::OnFailure::kSkip;
  planned.process_timeout = node.process_timeout;
  if (node.join) planned.join = Join{.tolerance = node.join->tolerance.value_or(manifest::Duration::zero())};
  if (planned.kind == manifest::NodeTypeKind::kNative) {
    PlaceAsNative(node, around.host, report, planned);
  } else if (!node.docker) {
    PlaceAsProcess(node, around.directory, planned);
  } else {
    planned.env = node.docker->env;
    if (node.docker->env_file) planned.env_file = Resolve(around.directory, *node.docker->env_file);
    if (around.placement == PlacementOverride::kProcess) {
      PlaceOnHostInstead(*node.docker, around.directory, planned);
    } else {
      PlaceInContainer(node, around, report, planned);
    }
  }
  NoteWhatIsOnlyShown(node, planned);
  return planned;
}

void CheckSources(const manifest::Pipeline& pipeline, const Plan& plan, manifest::Report& report) {
  for (std::size_t index = 0; index < plan.nodes.size(); ++index) {
    const auto& node = pipeline.nodes[index];
    if (!plan.nodes[index].is_source()) continue;
    if (!node.process_timeout) continue;
    report.AddAt(node.process_timeout_at,
                 fmt::format("'process_timeout' is for handling a message, and a source handles none: remove it from "
                             "node '{}', which has no inputs",
                             node.id));
  }
}

void WarnOfOpenDoors(Plan& plan) {
  const auto beside_code = [&](const std::filesystem::path& path) {
    const auto relative = path.lexically_relative(plan.directory);
    return !relative.empty() && *relative.begin() != "..";
  };
  for (const auto& node : plan.nodes) {
    if (!node.container) continue;
    const auto warn = [&](std::string_view what) {
      plan.warnings.push_back(fmt::format(
          "{} of node '{}' lies in the manifest's directory, which every container of the pipeline sees at /app: keep "
          "it elsewhere",
          what, node.id));
    };
    for (const auto& secret : node.container->secrets) {
      if (beside_code(secret.source.path)) warn(fmt::format("the secret '{}'", secret.name));
    }
    if (node.env_file && beside_code(node.env_file->path)) warn("'env_file'");
    for (const auto& volume : node.container->volumes) {
      if (volume.source.path.filename() != "docker.sock") continue;
      plan.warnings.push_back(fmt::format(
          "node '{}' may command the container engine through {}, that is all of this host", node.id, volume.target));
    }
  }
}

}  // namespace penstock::plan
