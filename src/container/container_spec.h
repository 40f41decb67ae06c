// A container as it is asked for, and when two of them are the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "docker/ownership.h"
#include "docker/types.h"
#include "plan/plan.h"

namespace penstock::container {

using docker::kDirectoryLabel;
using docker::kEntryLabel;
using docker::kUserLabel;
// For people: who had it made. Sessions that came later are not among its labels.
inline constexpr const char* kSessionLabel = "penstock.session";
inline constexpr const char* kNodeLabel = "penstock.node";

// Where things are inside every container.
inline constexpr const char* kCodeTarget = "/app";
inline constexpr const char* kInstallTarget = "/opt/penstock";

struct ContainerRequest {
  std::string session;
  std::string node;
  std::string image;  // id
  plan::ContainerSpec spec;
  std::map<std::string, std::string> env;  // of its workers; part of the identity
  std::filesystem::path code;              // mounted at kCodeTarget
  std::filesystem::path installed;         // mounted at kInstallTarget: agent and SDK
};

/// A request with what follows from it, worked out once: files are read for it.
struct PreparedRequest {
  ContainerRequest request;
  /// All of the engine's request but what is each container's own: name, labels, bootstrap and secrets' mounts.
  docker::ContainerSpec engine;
  std::string identity;  // two requests with the same may share a container
};

/// Nodes of one session never share, as each was promised its limits: `ordinal` says how many before this one wanted
/// the same content.
///
/// The content is a SHA-256 in hexadecimal over all that a session could notice; with the ordinal it is the identity.
/// The code's folder counts, not what is in it: it is mounted, and every session starts processes of its own on it.
/// Of secrets their files count, by time and size, never by what is in them. Errors: the seccomp profile cannot be
/// read; kInvalidArgument (text that is not UTF-8).
auto Prepare(ContainerRequest request, const std::function<std::uint32_t(const std::string& content)>& ordinal)
    -> base::Expected<PreparedRequest>;

}  // namespace penstock::container
