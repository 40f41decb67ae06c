// The grammar of what a container is given of its host: paths, devices, secrets, users and capabilities.
//
// As in names.h, each check returns the rule that is broken, as the end of the sentence "'x' …", or an empty string.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "manifest/docker_section.h"

namespace penstock::manifest {

/// Where secrets appear in a container.
inline constexpr std::string_view kSecretsTarget = "/run/secrets";

/// A path on the host, absolute or relative to the manifest.
auto CheckHostPath(std::string_view path) -> std::string;
/// A path below the context of a build: relative, without "..".
auto CheckPathInContext(std::string_view path) -> std::string;
/// Absolute, without "." and "..", and not where Penstock or the kernel have something of their own.
auto CheckContainerPath(std::string_view path) -> std::string;
/// "/dev/x[:/dev/y[:rwm]]".
auto CheckDevice(std::string_view device) -> std::string;
/// For what CheckDevice accepts.
auto ParseDevice(std::string_view device) -> Device;
/// A file name: letters, digits, '.', '-' and '_', beginning with a letter or digit.
auto CheckSecretName(std::string_view name) -> std::string;
/// "uid" or "uid:gid", as numbers.
auto CheckUser(std::string_view user) -> std::string;
/// A capability of Linux, with or without "CAP_", or ALL.
auto CheckCapability(std::string_view capability) -> std::string;
/// Upper case, without "CAP_".
auto NormaliseCapability(std::string_view capability) -> std::string;
/// The name of a loaded AppArmor profile.
auto CheckProfileName(std::string_view name) -> std::string;
/// What the engine's GPU driver may call a device: an index or a UUID.
auto CheckGpuId(std::string_view id) -> std::string;

}  // namespace penstock::manifest
