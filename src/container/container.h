// A running container that this process uses: its first process is the agent, and leases are what it is used through.
//
// Nothing of the host's data plane is mounted: a read-only directory with the bootstrap socket, the agent and SDK at
// /opt/penstock and the node's code at /app, both read-only. Everything else arrives as descriptors through the lease.
// The engine removes it as soon as its agent has ended, also when no runtime lives any more.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "container/agent_lease.h"
#include "container/container_spec.h"
#include "container/locked_directory.h"
#include "docker/engine.h"

namespace penstock::container {

class Container final {
 public:
  struct Leased;
  /// Makes a container for `entry`, acquires its first lease, and offers it to others. On an error nothing is left
  /// behind, `entry` included.
  static auto Create(const docker::Engine& engine, LockedDirectory entry, const PreparedRequest& prepared,
                     const docker::Call& call) -> base::Expected<Leased>;
  /// Acquires a lease of the container that `entry` offers. Errors: kExhausted (as many sessions as it may have),
  /// kPeerGone (it is ending or has ended), kDeadline: use another one.
  static auto Join(const docker::Engine& engine, LockedDirectory entry, const ContainerRequest& request,
                   const docker::Call& call) -> base::Expected<Leased>;

  Container(Container&& other) noexcept = default;
  auto operator=(Container&& other) noexcept -> Container& = default;
  Container(const Container&) = delete;
  auto operator=(const Container&) -> Container& = delete;
  ~Container() = default;

  auto id() const noexcept -> const std::string& { return id_; }
  /// Ends this use, after its lease was closed and its evidence read. The container itself stays while others use it or
  /// it is kept warm, for as long as any of its sessions asked for; otherwise it is gone when this returns. Once.
  auto Release(const docker::Call& call) -> base::Status;

 private:
  Container(const docker::Engine& engine, LockedDirectory entry, manifest::Duration keep_warm)
      : engine_(&engine), entry_(std::move(entry)), keep_warm_(keep_warm) {}
  auto Boot(const PreparedRequest& prepared, const docker::Call& call) -> base::Expected<AgentLease>;
  auto Offer(const PreparedRequest& prepared) const -> base::Status;
  auto StaysWarm() const -> bool;
  auto AskForLease(const ContainerRequest& request, const docker::Call& call) const -> base::Expected<AgentLease>;

  const docker::Engine* engine_;
  LockedDirectory entry_;
  manifest::Duration keep_warm_;
  std::string id_;
};

struct Container::Leased {
  Container container;
  AgentLease lease;
  bool warm = false;  // it ran before
};

}  // namespace penstock::container
