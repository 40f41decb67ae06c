#include "docker/encode.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace penstock::docker {
namespace {
using base::ErrorCode;
using base::Expected;
using nlohmann::json;

auto Dump(const json& value) -> Expected<std::string> {
  try {
    return value.dump();
  } catch (const json::exception& error) {
    return base::Fail(ErrorCode::kInvalidArgument, "a request to the Docker engine must be UTF-8 text: {}",
                      error.what());
  }
}

auto MountsOf(const ContainerSpec& spec) -> json {
  auto mounts = json::array();
  for (const auto& mount : spec.mounts) {
    mounts.push_back(
        {{"Type", "bind"}, {"Source", mount.source}, {"Target", mount.target}, {"ReadOnly", mount.read_only}});
  }
  return mounts;
}

auto TmpfsOf(const ContainerSpec& spec) -> json {
  auto tmpfs = json::object();
  for (const auto& mount : spec.tmpfs) {
    auto options = mount.options;
    if (mount.size_bytes > 0) options += fmt::format("{}size={}", options.empty() ? "" : ",", mount.size_bytes);
    tmpfs[mount.target] = options;
  }
  return tmpfs;
}

auto DevicesOf(const ContainerSpec& spec) -> json {
  auto devices = json::array();
  for (const auto& device : spec.devices) {
    devices.push_back({{"PathOnHost", device.host_path},
                       {"PathInContainer", device.container_path},
                       {"CgroupPermissions", device.permissions}});
  }
  return devices;
}

auto GpuRequestOf(const GpuRequest& gpus) -> json {
  json request = {{"Capabilities", json::array({json::array({"gpu"})})}};
  // The engine refuses a request that both counts and names.
  if (gpus.count != 0) {
    request["Count"] = gpus.count;
  } else {
    request["DeviceIDs"] = gpus.ids;
  }
  return request;
}

auto HostConfigOf(const ContainerSpec& spec) -> json {
  json host = {{"Mounts", MountsOf(spec)}, {"Tmpfs", TmpfsOf(spec)}, {"ReadonlyRootfs", spec.read_only_root}};
  if (!spec.network.empty()) host["NetworkMode"] = spec.network;
  if (spec.memory_bytes) {
    host["Memory"] = *spec.memory_bytes;
    host["MemorySwap"] = *spec.memory_bytes;  // the sum of both: no swap on top
  }
  if (spec.nano_cpus) host["NanoCpus"] = *spec.nano_cpus;
  if (spec.pids_limit) host["PidsLimit"] = *spec.pids_limit;
  if (spec.shm_bytes) host["ShmSize"] = *spec.shm_bytes;
  for (const auto& limit : spec.ulimits) {
    host["Ulimits"].push_back({{"Name", limit.name}, {"Soft", limit.soft}, {"Hard", limit.hard}});
  }
  if (!spec.devices.empty()) host["Devices"] = DevicesOf(spec);
  if (spec.gpus) host["DeviceRequests"] = json::array({GpuRequestOf(*spec.gpus)});
  if (!spec.cap_drop.empty()) host["CapDrop"] = spec.cap_drop;
  if (!spec.cap_add.empty()) host["CapAdd"] = spec.cap_add;
  if (!spec.security_options.empty()) host["SecurityOpt"] = spec.security_options;
  if (spec.init) host["Init"] = true;
  if (spec.auto_remove) host["AutoRemove"] = true;
  if (!spec.log_driver.empty()) host["LogConfig"] = {{"Type", spec.log_driver}};
  return host;
}
}  // namespace

auto EncodeContainer(const ContainerSpec& spec) -> Expected<std::string> {
  json body = {{"Image", spec.image},
               {"HostConfig", HostConfigOf(spec)},
               {"Labels", spec.labels},
               {"AttachStdout", true},
               {"AttachStderr", true},
               {"User", spec.user},
               {"WorkingDir", spec.working_dir},
               {"Hostname", spec.hostname}};
  if (!spec.command.empty()) body["Cmd"] = spec.command;
  if (spec.entrypoint) {
    // The engine takes [] for "the image's"; one empty string is its word for none.
    body["Entrypoint"] = spec.entrypoint->empty() ? Strings{""} : *spec.entrypoint;
  }
  if (spec.network == "host") body.erase("Hostname");  // the engine refuses a host name there
  auto env = json::array();
  for (const auto& [name, value] : spec.env) {
    if (name.empty() || name.find('=') != std::string::npos) {
      return base::Fail(ErrorCode::kInvalidArgument, "environment variable '{}' of container '{}' has no valid name",
                        name, spec.name);
    }
    env.push_back(fmt::format("{}={}", name, value));
  }
  if (!env.empty()) body["Env"] = std::move(env);
  if (!spec.extra_json.empty()) {
    const auto extra = json::parse(spec.extra_json, nullptr, false);
    if (!extra.is_object()) {
      return base::Fail(ErrorCode::kInvalidArgument, "extra settings of container '{}' are not a JSON object: '{}'",
                        spec.name, spec.extra_json);
    }
    body.merge_patch(extra);
  }
  return Dump(body);
}

auto EncodeCommit(const CommitSpec& spec) -> Expected<std::string> {
  json body = {{"Labels", spec.labels}};
  if (!spec.command.empty()) body["Cmd"] = spec.command;
  return Dump(body);
}

auto EncodeMap(const StringMap& map) -> Expected<std::string> { return Dump(json(map)); }

auto EncodeFilters(const std::vector<std::pair<std::string_view, Strings>>& filters) -> Expected<std::string> {
  auto body = json::object();
  for (const auto& [name, values] : filters) {
    if (!values.empty()) body[std::string(name)] = values;
  }
  if (body.empty()) return std::string();
  return Dump(body);
}

}  // namespace penstock::docker
