#include "manifest/docker_section.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "manifest/json_fields.h"

namespace penstock::manifest {
namespace {

auto LimitsToJson(const ResourceLimits& limits) -> nlohmann::json {
  auto object = nlohmann::json::object();
  Put(object, "memory_mb", limits.memory_mb);
  Put(object, "cpu_cores", limits.cpu_cores);
  Put(object, "pids", limits.pids);
  Put(object, "nofile", limits.nofile);
  return object;
}

auto VolumesToJson(const std::vector<Volume>& volumes) -> nlohmann::json {
  auto list = nlohmann::json::array();
  for (const auto& volume : volumes) {
    list.push_back(
        {{"host_path", volume.host_path}, {"container_path", volume.container_path}, {"read_only", volume.read_only}});
  }
  return list;
}

auto SecretsToJson(const std::vector<Secret>& secrets) -> nlohmann::json {
  auto list = nlohmann::json::array();
  for (const auto& secret : secrets) {
    nlohmann::json object{{"name", secret.name}};
    Put(object, "file", secret.file);
    list.push_back(std::move(object));
  }
  return list;
}

auto DevicesToJson(const std::vector<Device>& devices) -> nlohmann::json {
  auto list = nlohmann::json::array();
  for (const auto& device : devices) {
    list.push_back(fmt::format("{}:{}:{}", device.host_path, device.container_path, device.permissions));
  }
  return list;
}

auto BuildToJson(const ImageBuild& build) -> nlohmann::json {
  nlohmann::json object{{"context", build.context}};
  Put(object, "dockerfile", build.dockerfile);
  return object;
}

auto GpusToJson(const Gpus& gpus) -> nlohmann::json {
  if (gpus.count == Gpus::kAll) return "all";
  if (gpus.count > 0) return gpus.count;
  return gpus.ids;
}

auto SecurityToJson(const Security& security) -> nlohmann::json {
  auto object = nlohmann::json::object();
  Put(object, "user", security.user);
  Put(object, "read_only_root", security.read_only_root);
  PutList(object, "cap_add", security.cap_add);
  Put(object, "seccomp", security.seccomp);
  Put(object, "apparmor", security.apparmor);
  return object;
}

}  // namespace

auto ToString(Network network) -> std::string_view {
  switch (network) {
    case Network::kNone:
      return "none";
    case Network::kBridge:
      return "bridge";
    case Network::kHost:
      return "host";
  }
  return "unknown";
}

auto ToString(Sharing sharing) -> std::string_view { return sharing == Sharing::kShared ? "shared" : "exclusive"; }

auto ToJson(Duration duration) -> nlohmann::json {
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (duration.count() % kSecond == 0) return duration.count() / kSecond;
  return static_cast<double>(duration.count()) / static_cast<double>(kSecond);
}

auto ToJson(const std::vector<PythonPackage>& packages) -> nlohmann::json {
  auto list = nlohmann::json::array();
  for (const auto& package : packages) {
    if (package.no_deps) {
      list.push_back({{"package", package.requirement}, {"no_deps", true}});
    } else {
      list.push_back(package.requirement);
    }
  }
  return list;
}

auto ToJson(const DockerSection& docker) -> nlohmann::json {
  nlohmann::json object{{"python_version", docker.python_version}};
  Put(object, "base_image", docker.base_image);
  if (docker.build) object["build"] = BuildToJson(*docker.build);
  PutList(object, "system_dependencies", docker.system_dependencies);
  PutList(object, "python_packages", ToJson(docker.python_packages));
  PutList(object, "resource_limits", LimitsToJson(docker.resource_limits));
  PutList(object, "env", docker.env);
  Put(object, "env_file", docker.env_file);
  PutList(object, "secrets", SecretsToJson(docker.secrets));
  PutList(object, "volumes", VolumesToJson(docker.volumes));
  Put(object, "network", docker.network);
  Put(object, "tmpfs_mb", docker.tmpfs_mb);
  Put(object, "shm_size_mb", docker.shm_size_mb);
  Put(object, "sharing", docker.sharing);
  Put(object, "keep_warm", docker.keep_warm);
  Put(object, "max_sessions_per_container", docker.max_sessions_per_container);
  if (docker.gpus) object["gpus"] = GpusToJson(*docker.gpus);
  PutList(object, "devices", DevicesToJson(docker.devices));
  PutList(object, "security", SecurityToJson(docker.security));
  return object;
}

}  // namespace penstock::manifest
