// One container whose first process is the agent: created locked down, started, and leased.
//
// Nothing of the host's data plane is mounted: a read-only directory with the bootstrap socket, the agent and SDK at
// /opt/penstock and the node's code at /app, both read-only. Everything else arrives as descriptors through the lease.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "container/agent_lease.h"
#include "container/runtime_directory.h"
#include "docker/engine.h"
#include "plan/plan.h"

namespace penstock::container {

inline constexpr const char* kRuntimeLabel = "penstock.runtime";
inline constexpr const char* kSessionLabel = "penstock.session";
inline constexpr const char* kNodeLabel = "penstock.node";
inline constexpr const char* kUserLabel = "penstock.user";
inline constexpr const char* kDirectoryLabel = "penstock.runtime-directory";  // where the runtime's proof of life is

// Where things are inside every container.
inline constexpr const char* kCodeTarget = "/app";
inline constexpr const char* kInstallTarget = "/opt/penstock";

struct ContainerRequest {
  std::string session;
  std::string node;
  std::string image;
  plan::ContainerSpec spec;
  std::filesystem::path code;       // mounted at kCodeTarget
  std::filesystem::path installed;  // mounted at kInstallTarget: agent and SDK
  /// How long the agent stays when its last lease is gone.
  std::chrono::milliseconds keep_warm{0};
};

class Container final {
 public:
  struct Leased;
  /// Creates and starts the container and acquires the first lease. On an error nothing is left behind. Blocking; any
  /// thread.
  static auto Start(const docker::Engine& engine, const RuntimeDirectory& runtime, const ContainerRequest& request,
                    docker::Call call) -> base::Expected<Leased>;

  Container(Container&& other) noexcept;
  auto operator=(Container&& other) noexcept -> Container&;
  Container(const Container&) = delete;
  auto operator=(const Container&) -> Container& = delete;
  /// Removes the container when that has not been done.
  ~Container();

  auto id() const noexcept -> const std::string& { return id_; }
  /// How the container ended, as a clause: "exited with code 1", "was killed with signal 9 (SIGKILL)", "is still
  /// running".
  auto DescribeEnd(docker::Call call) const -> std::string;
  /// Ends and removes it with its sockets. Call after its evidence has been read.
  auto Remove(docker::Call call) -> base::Status;

 private:
  Container(const docker::Engine& engine, std::filesystem::path directory);
  auto Boot(const ContainerRequest& request, const std::string& runtime_id, const docker::Call& call)
      -> base::Expected<AgentLease>;

  const docker::Engine* engine_;
  std::filesystem::path directory_;  // its sockets
  std::string id_;                   // empty: not created, or removed
};

struct Container::Leased {
  Container container;
  AgentLease lease;
};

/// Removes every container of this user and runtime directory whose runtime is dead: also one that the engine finished
/// making only after its runtime, and the directory that led to it, were gone.
auto RemoveOrphans(const docker::Engine& engine, const docker::Call& call) -> base::Status;

/// Removes what the dead runtime's sessions left in the engine: proof of death is the caller's (SweepDeadRuntimes).
auto RemoveContainersOf(const docker::Engine& engine, const std::string& runtime_id, const docker::Call& call)
    -> base::Status;

}  // namespace penstock::container
