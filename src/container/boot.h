// The first moments of a container: from its start until its agent has fetched the descriptor that it listens at.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "docker/engine.h"

namespace penstock::container {

inline constexpr const char* kBootTarget = "/run/penstock";
inline constexpr const char* kBootSocket = "boot.sock";

/// The bootstrap socket in `directory`, reachable for the container's user whoever that is.
auto ListenForBoot(const std::filesystem::path& directory) -> base::Expected<base::UniqueFd>;

/// Starts the created container and hands `agent_listener` to its agent. Blocking; any thread. Errors: kUnavailable
/// when it ends before, with what it printed; kDeadline; kCancelled.
auto StartAndBoot(const docker::Engine& engine, const std::string& id, const base::UniqueFd& boot_listener,
                  const base::UniqueFd& agent_listener, const docker::Call& call) -> base::Status;

}  // namespace penstock::container
