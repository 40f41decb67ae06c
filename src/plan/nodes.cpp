#include "plan/nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "manifest/suggest.h"

namespace penstock::plan {
namespace {

auto ResolveLimits(const manifest::Node& node, const HostFacts& host, manifest::Report& report) -> Limits {
  const auto& asked = node.docker->resource_limits;
  const auto host_mb = host.memory_bytes / kMebibyte;
  if (asked.memory_mb && *asked.memory_mb > host_mb) {
    report.AddAt(asked.memory_at, fmt::format("'memory_mb' of node '{}' is {}, but this host has {}", node.id,
                                              *asked.memory_mb, host_mb));
  }
  if (asked.cpu_cores && *asked.cpu_cores > host.cpus) {
    report.AddAt(asked.cpu_at, fmt::format("'cpu_cores' of node '{}' is {}, but this host has {}", node.id,
                                           *asked.cpu_cores, host.cpus));
  }
  Limits limits;
  limits.memory_mb = asked.memory_mb.value_or(std::min(kDefaultMemoryMb, host_mb));
  limits.cpu_cores = asked.cpu_cores.value_or(std::min(kDefaultCpuCores, host.cpus));
  limits.pids = asked.pids.value_or(kDefaultPids);
  return limits;
}

auto ContainerEnvironment(const manifest::DockerSection& docker) -> Environment {
  Environment environment;
  environment.python_version = docker.python_version;
  environment.base_image = docker.base_image;
  environment.system_packages = docker.system_dependencies;
  environment.python_packages = docker.python_packages;
  return environment;
}

void PlaceInContainer(const manifest::Node& node, const HostFacts& host, manifest::Report& report, Node& planned) {
  const auto& docker = *node.docker;
  planned.placement = Placement::kContainer;
  planned.reason = "has a docker section";
  planned.environment = ContainerEnvironment(docker);
  planned.env = docker.env;
  ContainerSpec container;
  container.limits = ResolveLimits(node, host, report);
  container.rights.network = docker.network.value_or(manifest::Network::kNone);
  container.rights.tmpfs_mb = docker.tmpfs_mb.value_or(kDefaultTmpfsMb);
  container.rights.uid = host.container_uid;
  container.rights.gid = host.container_gid;
  planned.container = container;
}

/// `--placement process`: the same packages, none of the walls.
void PlaceOnHostInstead(const manifest::DockerSection& docker, Node& planned) {
  planned.placement = Placement::kProcess;
  planned.reason = "--placement process, instead of its container";
  planned.environment = ContainerEnvironment(docker);
  planned.environment->base_image.reset();
  planned.env = docker.env;
  planned.notes.push_back(fmt::format("runs in a virtual environment of Python {} on this host, with the same packages",
                                      docker.python_version));
  planned.notes.push_back("without a container: no limits, and the rights of the user who runs it");
  if (docker.base_image) planned.notes.push_back(fmt::format("the base image '{}' is not used", *docker.base_image));
  if (!docker.system_dependencies.empty()) {
    planned.notes.push_back("system packages must be installed on this host already");
  }
}

void PlaceAsProcess(const manifest::Node& node, Node& planned) {
  planned.placement = Placement::kProcess;
  planned.reason = "Python without a docker section";
  Environment environment;
  // Three forms: a version, a path, a name to look up. Only the first says which Python it is.
  const auto is_version = node.python && node.python->find_first_not_of("0123456789.") == std::string::npos;
  if (is_version) {
    environment.python_version = *node.python;
  } else {
    environment.interpreter = node.python;
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

auto PlaceNode(const manifest::Node& node, const HostFacts& host, PlacementOverride placement, manifest::Report& report)
    -> Node {
  Node planned;
  planned.id = node.id;
  planned.node_type = node.node_type;
  planned.kind = *manifest::ClassifyNodeType(node.node_type);
  planned.params = node.params;
  planned.start_timeout = node.start_timeout.value_or(kDefaultNodeStartTimeout);
  if (planned.kind == manifest::NodeTypeKind::kNative) {
    PlaceAsNative(node, host, report, planned);
  } else if (!node.docker) {
    PlaceAsProcess(node, planned);
  } else if (placement == PlacementOverride::kProcess) {
    PlaceOnHostInstead(*node.docker, planned);
  } else {
    PlaceInContainer(node, host, report, planned);
  }
  NoteWhatIsOnlyShown(node, planned);
  return planned;
}

void WarnOfOvercommitment(const HostFacts& host, Plan& plan) {
  std::uint64_t memory_mb = 0;
  double cpus = 0;
  for (const auto& node : plan.nodes) {
    if (!node.container) continue;
    memory_mb += node.container->limits.memory_mb;
    cpus += node.container->limits.cpu_cores;
  }
  const auto host_mb = host.memory_bytes / kMebibyte;
  if (memory_mb > host_mb) {
    plan.warnings.push_back(
        fmt::format("the containers may use {} MB of memory together, but this host has {}", memory_mb, host_mb));
  }
  if (cpus > host.cpus) {
    plan.warnings.push_back(
        fmt::format("the containers may use {:g} cores together, but this host has {}", cpus, host.cpus));
  }
}

}  // namespace penstock::plan
