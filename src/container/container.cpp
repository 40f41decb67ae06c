#include "container/container.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/log.h"
#include "base/paths.h"
#include "base/uuid.h"
#include "container/confine.h"
#include "container/secret_files.h"

namespace penstock::container {
namespace fs = std::filesystem;
namespace {

constexpr const char* kBootTarget = "/run/penstock";
constexpr const char* kBootSocket = "boot.sock";
constexpr const char* kAgentSocket = "agent.sock";

auto SpecOf(const ContainerRequest& request, const std::string& runtime_id, const fs::path& boot_directory,
            const SecretFiles& secrets) -> base::Expected<docker::ContainerSpec> {
  docker::ContainerSpec spec;
  spec.name = "penstock-" + base::NewUuidV7().substr(24);
  spec.image = request.image;
  spec.entrypoint = docker::Strings{};
  spec.command = {fmt::format("{}/penstock-agent", kInstallTarget), "--bootstrap",
                  fmt::format("{}/{}", kBootTarget, kBootSocket)};
  spec.working_dir = "/";
  spec.labels = {{kRuntimeLabel, runtime_id},
                 {kSessionLabel, request.session},
                 {kNodeLabel, request.node},
                 {kUserLabel, std::to_string(::getuid())},
                 {kDirectoryLabel, boot_directory.parent_path().parent_path().parent_path()}};
  spec.mounts = {{.source = boot_directory, .target = kBootTarget},
                 {.source = request.installed, .target = kInstallTarget},
                 {.source = request.code, .target = kCodeTarget}};
  spec.mounts.insert(spec.mounts.end(), secrets.mounts().begin(), secrets.mounts().end());
  PENSTOCK_TRY(Confine(request.spec, spec));
  return spec;
}

// Readable once the container has ended: an agent that cannot even start is known at once, not when the deadline
// passes.
class EndWatch final {
 public:
  EndWatch(const docker::Engine& engine, std::string id)
      : fd_(::eventfd(0, EFD_CLOEXEC)), thread_([this, &engine, id = std::move(id)](const std::stop_token& stop) {
          ::pthread_setname_np(::pthread_self(), "penstock-await");
          const auto ended = engine.Wait(id, docker::WaitFor::kNotRunning, docker::Call(base::Deadline::Never(), stop));
          if (!ended && ended.error().code() == base::ErrorCode::kCancelled) return;
          Wake();
        }) {}

  auto fd() const noexcept -> int { return fd_.get(); }
  void Wake() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof(one));
  }

 private:
  base::UniqueFd fd_;
  std::jthread thread_;
};

enum class BootEvent { kConnected, kEnded, kStopped, kDeadline };

auto AwaitBoot(const base::UniqueFd& listener, const EndWatch& end, const docker::Call& call) -> BootEvent {
  const std::stop_callback stopped(call.stop, [&end] { end.Wake(); });
  std::array<pollfd, 2> fds{pollfd{.fd = listener.get(), .events = POLLIN, .revents = 0},
                            pollfd{.fd = end.fd(), .events = POLLIN, .revents = 0}};
  int ready = 0;
  do {
    ready = ::poll(fds.data(), fds.size(), call.deadline.poll_timeout_ms());
  } while (ready < 0 && errno == EINTR);
  if (call.stop.stop_requested()) return BootEvent::kStopped;
  if (ready == 0) return BootEvent::kDeadline;
  return fds[0].revents != 0 ? BootEvent::kConnected : BootEvent::kEnded;
}

auto LastOutput(const docker::Engine& engine, const std::string& id) -> std::string {
  docker::LogQuery query;
  query.tail_lines = 20;
  const auto output = engine.Logs(id, query, docker::Call(base::Deadline::In(std::chrono::seconds(2))));
  if (!output || (output->out.empty() && output->err.empty())) return "It printed nothing.";
  return "It printed:\n" + output->out + output->err;
}

}  // namespace

Container::Container(const docker::Engine& engine, fs::path directory)
    : engine_(&engine), directory_(std::move(directory)) {}

Container::Container(Container&& other) noexcept
    : engine_(other.engine_), directory_(std::exchange(other.directory_, {})), id_(std::exchange(other.id_, {})) {}

auto Container::operator=(Container&& other) noexcept -> Container& {
  if (this != &other) {
    std::swap(engine_, other.engine_);
    std::swap(directory_, other.directory_);
    std::swap(id_, other.id_);
  }
  return *this;
}

Container::~Container() {
  if (const auto removed = Remove(docker::Call(base::Deadline::In(std::chrono::seconds(20)))); !removed) {
    base::Log(base::LogLevel::kWarning, "a container could not be removed: {}", removed.error().ToString());
  }
}

auto Container::Start(const docker::Engine& engine, const RuntimeDirectory& runtime, const ContainerRequest& request,
                      docker::Call call) -> base::Expected<Leased> {
  Container container(engine, runtime.path() / base::NewUuidV7().substr(24));
  auto lease = container.Boot(request, runtime.id(), call);
  if (!lease)
    return tl::make_unexpected(
        std::move(lease.error()).While(fmt::format("starting the container of node '{}'", request.node)));
  return Leased{.container = std::move(container), .lease = std::move(*lease)};
}

auto Container::Boot(const ContainerRequest& request, const std::string& runtime_id, const docker::Call& call)
    -> base::Expected<AgentLease> {
  const auto boot_directory = directory_ / "boot";
  std::error_code error;
  fs::create_directories(boot_directory, error);
  if (error)
    return base::Fail(base::ErrorCode::kUnavailable, "cannot create '{}': {}", boot_directory.string(),
                      error.message());
  const auto agent_path = (directory_ / kAgentSocket).string();
  PENSTOCK_ASSIGN(auto agent_listener, base::ListenPacket(agent_path, 0600));
  // The container's user may differ from ours; its directory can be reached through the mount only.
  PENSTOCK_ASSIGN(const auto boot_listener, base::ListenPacket((boot_directory / kBootSocket).string(), 0666));
  if (::chmod(boot_directory.c_str(), 0755) != 0)
    return base::SystemError("open the bootstrap directory to the container");

  PENSTOCK_ASSIGN(const auto secrets, SecretFiles::Copy(request.spec, directory_));
  PENSTOCK_ASSIGN(const auto spec, SpecOf(request, runtime_id, boot_directory, secrets));
  // Not to be cancelled: a container whose creation was cut off would have an id that nobody learnt.
  PENSTOCK_ASSIGN(const auto created, engine_->Create(spec, docker::Call(call.deadline)));
  id_ = created.id;
  for (const auto& warning : created.warnings)
    base::Log(base::LogLevel::kWarning, "container of node '{}': {}", request.node, warning);
  PENSTOCK_TRY(engine_->Start(id_, call));

  {
    const EndWatch end(*engine_, id_);
    switch (AwaitBoot(boot_listener, end, call)) {
      case BootEvent::kConnected:
        break;
      case BootEvent::kEnded:
        return base::Fail(base::ErrorCode::kUnavailable, "the container {} before its agent answered. {}",
                          DescribeEnd(call), LastOutput(*engine_, id_));
      case BootEvent::kStopped:
        return base::Fail(base::ErrorCode::kCancelled, "stopped while the container started");
      case BootEvent::kDeadline:
        return base::Fail(base::ErrorCode::kDeadline, "the container's agent did not answer in time. {}",
                          LastOutput(*engine_, id_));
    }
  }
  PENSTOCK_ASSIGN(const auto boot, base::AcceptPacket(boot_listener));
  PENSTOCK_TRY(worker::Send(boot, worker::Listen{.keep_warm_ms = request.keep_warm.count()}, agent_listener.get()));
  PENSTOCK_ASSIGN(auto socket, base::PacketSocket::Connect(agent_path, call.deadline));
  agent_listener.reset();  // the agent's copy alone keeps it: its end is then our end of file
  return AgentLease::Acquire(std::move(socket), request.session, call.deadline);
}

auto Container::DescribeEnd(docker::Call call) const -> std::string {
  const auto container = engine_->Inspect(id_, std::move(call));
  if (!container) {
    return container.error().code() == base::ErrorCode::kNotFound
               ? "was removed"
               : fmt::format("ended ({})", container.error().message());
  }
  const auto& state = container->state;
  if (state.running) return "is still running";
  if (!state.error.empty()) return "could not start: " + state.error;
  constexpr std::int64_t kKilled = 137;  // by SIGKILL; `oom_killed` alone may speak of a child
  if (state.oom_killed && state.exit_code == kKilled) {
    return "was killed by the kernel at its memory limit; raise docker.resource_limits.memory_mb of this node";
  }
  constexpr std::int64_t kSignalBase = 128;
  const char* signal =
      state.exit_code > kSignalBase ? ::sigabbrev_np(static_cast<int>(state.exit_code - kSignalBase)) : nullptr;
  if (signal != nullptr) return fmt::format("was killed with signal {} (SIG{})", state.exit_code - kSignalBase, signal);
  return fmt::format("exited with code {}", state.exit_code);
}

auto Container::Remove(docker::Call call) -> base::Status {
  if (!id_.empty()) {
    PENSTOCK_TRY(engine_->Remove(id_, std::move(call)));
    id_.clear();
  }
  if (!directory_.empty()) {
    std::error_code error;
    fs::remove_all(directory_, error);
    directory_.clear();
  }
  return {};
}

auto RemoveOrphans(const docker::Engine& engine, const docker::Call& call) -> base::Status {
  PENSTOCK_ASSIGN(const auto directory, base::RuntimeDirectory());
  PENSTOCK_ASSIGN(const auto containers, engine.List({fmt::format("{}={}", kUserLabel, ::getuid())}, call));
  for (const auto& container : containers) {
    const auto runtime = container.labels.find(kRuntimeLabel);
    const auto home = container.labels.find(kDirectoryLabel);
    if (runtime == container.labels.end() || home == container.labels.end()) continue;
    // Another runtime directory's locks cannot be looked at, so that its containers are not ours to judge.
    if (home->second != directory.string() || IsAlive(runtime->second)) continue;
    PENSTOCK_TRY(engine.Remove(container.id, call));
  }
  return {};
}

auto RemoveContainersOf(const docker::Engine& engine, const std::string& runtime_id, const docker::Call& call)
    -> base::Status {
  PENSTOCK_ASSIGN(const auto containers, engine.List({fmt::format("{}={}", kRuntimeLabel, runtime_id)}, call));
  for (const auto& container : containers) PENSTOCK_TRY(engine.Remove(container.id, call));
  return {};
}

}  // namespace penstock::container
