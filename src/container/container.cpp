#include "container/container.h"

#include <chrono>

#include "base/log.h"
#include "container/boot.h"
#include "container/entry.h"
#include "container/removal.h"
#include "container/secret_files.h"

namespace penstock::container {
namespace {

constexpr std::chrono::seconds kCleanupTimeout{20};
constexpr std::chrono::seconds kHurriedCleanup{5};

}  // namespace

auto Container::Create(const docker::Engine& engine, LockedDirectory entry, const PreparedRequest& prepared,
                       const docker::Call& call) -> base::Expected<Leased> {
  Container container(engine, std::move(entry), prepared.request.spec.keep_warm);
  auto lease = container.Boot(prepared, call);
  if (lease) {
    const auto offered = container.Offer(prepared);
    if (offered) return Leased{.container = std::move(container), .lease = std::move(*lease)};
    lease = tl::make_unexpected(offered.error());
  }
  // Nobody has answered for a minute, perhaps: what is left then is for the next command.
  const auto patience = lease.error().code() == base::ErrorCode::kDeadline ? kHurriedCleanup : kCleanupTimeout;
  if (container.entry_.ClaimIfLast()) {
    const auto removed = RemoveClaimed(engine, container.entry_, base::Deadline::In(patience));
    if (!removed)
      base::Log(base::LogLevel::kWarning, "what was made of it stays until the next penstock command: {}",
                removed.error().ToString());
  }
  return tl::make_unexpected(
      std::move(lease.error()).While(fmt::format("starting the container of node '{}'", prepared.request.node)));
}

auto Container::Offer(const PreparedRequest& prepared) const -> base::Status {
  const bool shared = prepared.request.spec.sharing == manifest::Sharing::kShared;
  return WriteRecord(entry_.path(), {.identity = shared ? prepared.identity : std::string(), .container = id_});
}

auto Container::Boot(const PreparedRequest& prepared, const docker::Call& call) -> base::Expected<AgentLease> {
  const auto& request = prepared.request;
  const auto& entry = entry_.path();
  PENSTOCK_ASSIGN(auto agent_listener, base::ListenPacket(AgentSocket(entry).string(), 0600));
  PENSTOCK_ASSIGN(const auto boot_listener, ListenForBoot(BootDirectory(entry)));

  // Their names are needed until the container runs.
  PENSTOCK_ASSIGN(const auto secrets, SecretFiles::Copy(request.spec, entry));
  auto spec = prepared.engine;
  spec.mounts.insert(spec.mounts.end(), secrets.mounts().begin(), secrets.mounts().end());
  spec.name = EngineName(entry);
  spec.command = {fmt::format("{}/penstock-agent", kInstallTarget), "--bootstrap",
                  fmt::format("{}/{}", kBootTarget, kBootSocket)};
  spec.labels = docker::EntryLabels(entry);
  spec.labels.insert({{kSessionLabel, request.session}, {kNodeLabel, request.node}});
  spec.mounts.push_back({.source = BootDirectory(entry), .target = kBootTarget});
  spec.auto_remove = true;
  // Not to be cancelled: a container whose creation was cut off could come into being after its removal.
  PENSTOCK_ASSIGN(const auto created, engine_->Create(spec, docker::Call(call.deadline)));
  id_ = created.id;
  for (const auto& warning : created.warnings)
    base::Log(base::LogLevel::kWarning, "container of node '{}': {}", request.node, warning);
  PENSTOCK_TRY(StartAndBoot(*engine_, id_, boot_listener, agent_listener, call));
  agent_listener.reset();  // the agent's copy alone keeps it: its end is then everybody's end of file
  return AskForLease(request, call);
}

auto Container::Join(const docker::Engine& engine, LockedDirectory entry, const ContainerRequest& request,
                     const docker::Call& call) -> base::Expected<Leased> {
  const auto record = ReadRecord(entry.path());
  if (!record) return base::Fail(base::ErrorCode::kPeerGone, "'{}' is being removed", entry.path().string());
  Container container(engine, std::move(entry), request.spec.keep_warm);
  container.id_ = record->container;
  const auto left = call.deadline.remaining();
  const auto deadline = left && *left < kAnswerTimeout ? call.deadline : base::Deadline::In(kAnswerTimeout);
  PENSTOCK_ASSIGN(auto lease, container.AskForLease(request, docker::Call(deadline, call.stop)));
  return Leased{.container = std::move(container), .lease = std::move(lease), .warm = true};
}

auto Container::AskForLease(const ContainerRequest& request, const docker::Call& call) const
    -> base::Expected<AgentLease> {
  PENSTOCK_ASSIGN(auto socket, base::PacketSocket::Connect(AgentSocket(entry_.path()).string(), call.deadline));
  const worker::Lease ask{.session = request.session,
                          .keep_warm_ms = std::chrono::ceil<std::chrono::milliseconds>(request.spec.keep_warm).count(),
                          .max_sessions = request.spec.max_sessions};
  return AgentLease::Acquire(std::move(socket), ask, call.deadline);
}

// The agent knows what the others asked for, also those whose runtime was killed. It may not have seen yet that our own
// lease is closed, so that ours is not asked of it. One that does not answer serves nobody.
auto Container::StaysWarm() const -> bool {
  const auto standing = AskAgent(entry_.path(), base::Deadline::In(kAnswerTimeout));
  return standing && (keep_warm_.count() > 0 || standing->stays_ms > 0);
}

auto Container::Release(const docker::Call& call) -> base::Status {
  if (StaysWarm()) {
    entry_.Leave();
    return {};
  }
  if (!entry_.ClaimIfLast()) return {};  // who uses it too, or claimed it, sees to the rest
  PENSTOCK_TRY(RemoveClaimed(*engine_, entry_, call));
  return {};
}

}  // namespace penstock::container
