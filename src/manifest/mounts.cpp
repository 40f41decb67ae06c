#include "manifest/mounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include "manifest/suggest.h"

namespace penstock::manifest {
namespace {

auto IsAlnum(char c) -> bool { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

auto HasControl(std::string_view text) -> bool {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

/// Whether `path` is `directory` or lies below it.
auto IsWithin(std::string_view path, std::string_view directory) -> bool {
  return path == directory || (path.starts_with(directory) && path.substr(directory.size()).starts_with('/'));
}

auto HasDots(std::string_view path) -> bool {
  const std::filesystem::path parts(path);
  return std::ranges::any_of(parts, [](const auto& part) { return part == "." || part == ".."; });
}

auto IsUid(std::string_view text) -> bool {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  // The largest number means "nobody in particular" to the kernel.
  return error == std::errc() && end == text.data() + text.size() && id != UINT32_MAX;
}

auto IsDevicePath(std::string_view path) -> bool {
  return path.starts_with("/dev/") && path.size() > 5 && !HasDots(path);
}

struct DeviceParts {
  std::string_view host;
  std::string_view container;
  std::string_view permissions;
};

auto SplitDevice(std::string_view device) -> DeviceParts {
  const auto first = device.find(':');
  if (first == std::string_view::npos) return {device, device, "rwm"};
  const auto rest = device.substr(first + 1);
  const auto second = rest.find(':');
  if (second == std::string_view::npos) return {device.substr(0, first), rest, "rwm"};
  return {device.substr(0, first), rest.substr(0, second), rest.substr(second + 1)};
}

constexpr std::array<std::string_view, 42> kCapabilities{"ALL",
                                                         "AUDIT_CONTROL",
                                                         "AUDIT_READ",
                                                         "AUDIT_WRITE",
                                                         "BLOCK_SUSPEND",
                                                         "BPF",
                                                         "CHOWN",
                                                         "DAC_OVERRIDE",
                                                         "DAC_READ_SEARCH",
                                                         "FOWNER",
                                                         "FSETID",
                                                         "IPC_LOCK",
                                                         "IPC_OWNER",
                                                         "CHECKPOINT_RESTORE",
                                                         "KILL",
                                                         "LEASE",
                                                         "LINUX_IMMUTABLE",
                                                         "MAC_ADMIN",
                                                         "MAC_OVERRIDE",
                                                         "MKNOD",
                                                         "NET_ADMIN",
                                                         "NET_BIND_SERVICE",
                                                         "NET_BROADCAST",
                                                         "NET_RAW",
                                                         "PERFMON",
                                                         "SETFCAP",
                                                         "SETGID",
                                                         "SETPCAP",
                                                         "SETUID",
                                                         "SYSLOG",
                                                         "SYS_ADMIN",
                                                         "SYS_BOOT",
                                                         "SYS_CHROOT",
                                                         "SYS_MODULE",
                                                         "SYS_NICE",
                                                         "SYS_PACCT",
                                                         "SYS_PTRACE",
                                                         "SYS_RAWIO",
                                                         "SYS_RESOURCE",
                                                         "SYS_TIME",
                                                         "SYS_TTY_CONFIG",
                                                         "WAKE_ALARM"};

}  // namespace

auto CheckHostPath(std::string_view path) -> std::string {
  if (HasControl(path)) return "is no path: it contains a control character";
  if (path.starts_with('~')) return "begins with '~', which is not expanded here: write the whole path";
  if (path.find('$') != std::string_view::npos) return "contains '$': variables are not expanded here, write the path";
  return {};
}

auto CheckPathInContext(std::string_view path) -> std::string {
  if (HasControl(path)) return "is no path: it contains a control character";
  if (path.starts_with('/') || HasDots(path)) return "must be a path inside the build's context, without '..'";
  return {};
}

auto CheckContainerPath(std::string_view path) -> std::string {
  if (HasControl(path)) return "is no path: it contains a control character";
  if (!path.starts_with('/')) return "is not an absolute path of the container";
  if (HasDots(path) || path.find("//") != std::string_view::npos) return "must be written without '.', '..' and '//'";
  if (path == "/") return "would replace the container's whole file system";
  if (path.ends_with('/')) return "ends with '/': leave that out";
  if (path == "/tmp") return "is the container's own temporary directory; its size is 'tmpfs_mb'";
  static constexpr std::array<std::string_view, 7> kReserved{"/opt/penstock", "/app", "/run/penstock", kSecretsTarget,
                                                             "/proc",         "/sys", "/dev"};
  for (const auto reserved : kReserved) {
    if (IsWithin(path, reserved))
      return fmt::format("is reserved: what is at {} is not the manifest's to mount", reserved);
    if (IsWithin(reserved, path)) return fmt::format("would hide {}, which Penstock needs", reserved);
  }
  return {};
}

auto CheckDevice(std::string_view device) -> std::string {
  const auto [host, container, permissions] = SplitDevice(device);
  if (HasControl(device) || !IsDevicePath(host) || !IsDevicePath(container)) {
    return "is not a device such as '/dev/video0' or '/dev/video0:/dev/video1:rw'";
  }
  const auto known = [](char c) { return c == 'r' || c == 'w' || c == 'm'; };
  if (permissions.empty() || !std::ranges::all_of(permissions, known)) {
    return fmt::format("has the permissions '{}': write some of r (read), w (write) and m (mknod)", permissions);
  }
  return {};
}

auto ParseDevice(std::string_view device) -> Device {
  const auto [host, container, permissions] = SplitDevice(device);
  return {.host_path = std::string(host),
          .container_path = std::string(container),
          .permissions = std::string(permissions),
          .at = {}};
}

auto CheckSecretName(std::string_view name) -> std::string {
  constexpr std::size_t kLongest = 64;
  const auto allowed = [](char c) { return IsAlnum(c) || c == '.' || c == '-' || c == '_'; };
  if (!name.empty() && name.size() <= kLongest && IsAlnum(name.front()) && std::ranges::all_of(name, allowed))
    return {};
  return "is not the name of a secret: use up to 64 letters, digits, '.', '-' and '_', beginning with a letter or "
         "digit; a path goes into 'file'";
}

auto CheckUser(std::string_view user) -> std::string {
  const auto colon = user.find(':');
  const auto group_is_good = colon == std::string_view::npos || IsUid(user.substr(colon + 1));
  if (IsUid(user.substr(0, colon)) && group_is_good) return {};
  return "is not a user by number: write \"uid\" or \"uid:gid\"; names depend on the image";
}

auto NormaliseCapability(std::string_view capability) -> std::string {
  std::string name(capability);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return name.starts_with("CAP_") ? name.substr(4) : name;
}

auto CheckCapability(std::string_view capability) -> std::string {
  const auto name = NormaliseCapability(capability);
  if (std::ranges::find(kCapabilities, name) != kCapabilities.end()) return {};
  return fmt::format("is not a capability of Linux{}", Suggest(name, kCapabilities));
}

auto CheckProfileName(std::string_view name) -> std::string {
  if (!HasControl(name) && name.find(' ') == std::string_view::npos) return {};
  return "is not the name of an AppArmor profile";
}

auto CheckGpuId(std::string_view id) -> std::string {
  if (std::ranges::all_of(id, [](char c) { return IsAlnum(c) || c == '-'; })) return {};
  return "is not a GPU's index or UUID such as 'GPU-8932f937-d72c-4106-c12f-20bd9faed9f6'";
}

}  // namespace penstock::manifest
