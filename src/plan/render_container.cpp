#include "plan/render_container.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/count.h"
#include "manifest/mounts.h"

namespace penstock::plan {
namespace {

auto Seconds(manifest::Duration duration) -> double { return std::chrono::duration<double>(duration).count(); }

auto RenderCores(double cores) -> std::string { return fmt::format("{:g} {}", cores, cores == 1 ? "core" : "cores"); }

auto RenderRights(const Rights& rights) -> std::string {
  const auto capabilities = rights.cap_add.empty() && rights.drop_all_capabilities ? "no" : "some";
  return fmt::format("uid {}, network {}, {} root, {} MB of /tmp, {} MB of /dev/shm, {} capabilities, {}", rights.uid,
                     manifest::ToString(rights.network), rights.read_only_root ? "read-only" : "writable",
                     rights.tmpfs_mb, rights.shm_size_mb, capabilities,
                     rights.no_new_privileges ? "no new privileges" : "may gain privileges");
}

auto RenderSharing(const ContainerSpec& container) -> std::string {
  const auto kept = container.keep_warm.count() == 0
                        ? std::string("gone at once after the last")
                        : fmt::format("kept {:g} s after the last", Seconds(container.keep_warm));
  if (container.sharing == manifest::Sharing::kExclusive) return fmt::format("exclusive to one session, {}", kept);
  return fmt::format("shared by up to {}, {}", base::Count(container.max_sessions, "session"), kept);
}

auto GpusToJson(const manifest::Gpus& gpus) -> nlohmann::json {
  if (gpus.count == manifest::Gpus::kAll) return "all";
  if (gpus.count > 0) return gpus.count;
  return gpus.ids;
}

auto LimitsToJson(const Limits& limits) -> nlohmann::json {
  return {{"memory_mb", limits.memory_mb},
          {"cpu_cores", limits.cpu_cores},
          {"pids", limits.pids},
          {"nofile", limits.nofile}};
}

auto RightsToJson(const Rights& rights) -> nlohmann::json {
  nlohmann::json object{{"network", manifest::ToString(rights.network)},
                        {"uid", rights.uid},
                        {"gid", rights.gid},
                        {"read_only_root", rights.read_only_root},
                        {"drop_all_capabilities", rights.drop_all_capabilities},
                        {"no_new_privileges", rights.no_new_privileges},
                        {"tmpfs_mb", rights.tmpfs_mb},
                        {"shm_size_mb", rights.shm_size_mb},
                        {"cap_add", rights.cap_add}};
  if (rights.seccomp) object["seccomp"] = rights.seccomp->written;
  if (rights.apparmor) object["apparmor"] = *rights.apparmor;
  return object;
}

}  // namespace

auto RenderContainer(const ContainerSpec& container) -> std::string {
  const auto& [memory_mb, cpu_cores, pids, nofile] = container.limits;
  auto text = fmt::format("    limits   {} MB of memory, {}, {}, {} each\n", memory_mb, RenderCores(cpu_cores),
                          base::Count(pids, "process", "processes"), base::Count(nofile, "descriptor"));
  text += fmt::format("    rights   {}\n", RenderRights(container.rights));
  if (const auto loosened = Loosened(container); !loosened.empty()) {
    text += fmt::format("    loosened {}\n", fmt::join(loosened, ", "));
  }
  for (const auto& volume : container.volumes) {
    text += fmt::format("    volume   {} at {}{}\n", volume.source.written, volume.target,
                        volume.read_only ? " (read-only)" : "");
  }
  for (const auto& secret : container.secrets) {
    text += fmt::format("    secret   {}/{}\n", manifest::kSecretsTarget, secret.name);
  }
  text += fmt::format("    sharing  {}\n", RenderSharing(container));
  return text;
}

auto ToJson(const ContainerSpec& container) -> nlohmann::json {
  nlohmann::json object{{"limits", LimitsToJson(container.limits)},  {"rights", RightsToJson(container.rights)},
                        {"loosened", Loosened(container)},           {"sharing", manifest::ToString(container.sharing)},
                        {"keep_warm", Seconds(container.keep_warm)}, {"max_sessions", container.max_sessions}};
  auto& volumes = object["volumes"] = nlohmann::json::array();
  for (const auto& volume : container.volumes) {
    volumes.push_back(
        {{"host_path", volume.source.written}, {"container_path", volume.target}, {"read_only", volume.read_only}});
  }
  auto& secrets = object["secrets"] = nlohmann::json::array();
  for (const auto& secret : container.secrets) secrets.push_back(secret.name);
  auto& devices = object["devices"] = nlohmann::json::array();
  for (const auto& device : container.devices) {
    devices.push_back({{"host_path", device.host_path},
                       {"container_path", device.container_path},
                       {"permissions", device.permissions}});
  }
  if (container.gpus) object["gpus"] = GpusToJson(*container.gpus);
  return object;
}

}  // namespace penstock::plan
