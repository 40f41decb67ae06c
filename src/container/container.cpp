#include "container/container.h"

#include <unistd.h>

#include <chrono>

#include "base/log.h"
#include "container/boot.h"
#include "container/entry.h"
#include "container/secret_files.h"

namespace penstock::container {
namespace {

// Of an agent that runs already; one that is stopped or wedged is passed over for a new container.
constexpr std::chrono::seconds kJoinTimeout{3};
constexpr std::chrono::seconds kCleanupTimeout{20};

}  // namespace

auto Container::Create(const docker::Engine& engine, LockedDirectory entry, const ContainerRequest& request,
                       const docker::Call& call) -> base::Expected<Leased> {
  Container container(engine, std::move(entry), request.spec.keep_warm);
  auto lease = container.Boot(request, call);
  if (lease) return Leased{.container = std::move(container), .lease = std::move(*lease)};
  // By name: creation may have succeeded without an answer.
  const auto removed = engine.Remove(EngineName(container.entry_.path()), base::Deadline::In(kCleanupTimeout));
  if (removed && container.entry_.ClaimIfLast()) container.entry_.Remove();
  return tl::make_unexpected(
      std::move(lease.error()).While(fmt::format("starting the container of node '{}'", request.node)));
}

auto Container::Boot(const ContainerRequest& request, const docker::Call& call) -> base::Expected<AgentLease> {
  const auto& entry = entry_.path();
  PENSTOCK_ASSIGN(auto agent_listener, base::ListenPacket(AgentSocket(entry).string(), 0600));
  PENSTOCK_ASSIGN(const auto boot_listener, ListenForBoot(BootDirectory(entry)));

  // Their names are needed until the container runs.
  PENSTOCK_ASSIGN(const auto secrets, SecretFiles::Copy(request.spec, entry));
  PENSTOCK_ASSIGN(auto spec, EngineSpecOf(request));
  spec.mounts.insert(spec.mounts.end(), secrets.mounts().begin(), secrets.mounts().end());
  spec.name = EngineName(entry);
  spec.command = {fmt::format("{}/penstock-agent", kInstallTarget), "--bootstrap",
                  fmt::format("{}/{}", kBootTarget, kBootSocket)};
  spec.labels = {{kUserLabel, std::to_string(::getuid())},
                 {kDirectoryLabel, entry.parent_path()},
                 {kEntryLabel, entry.filename()},
                 {kSessionLabel, request.session},
                 {kNodeLabel, request.node}};
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
  const auto deadline = left && *left < kJoinTimeout ? call.deadline : base::Deadline::In(kJoinTimeout);
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

auto Container::Release(docker::Call call) -> base::Status {
  if (keep_warm_.count() > 0 && AgentAnswers(entry_.path())) {
    entry_.Leave();
    return {};
  }
  if (!entry_.ClaimIfLast()) return {};  // who uses it too, or claimed it, sees to the rest
  PENSTOCK_TRY(engine_->Remove(EngineName(entry_.path()), std::move(call)));
  entry_.Remove();
  return {};
}

}  // namespace penstock::container
