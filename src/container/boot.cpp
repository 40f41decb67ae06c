#include "container/boot.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

#include "base/packet_socket.h"
#include "container/exit_status.h"
#include "worker/protocol.h"

namespace penstock::container {
namespace {

// Enough for a linker's or an interpreter's complaint.
constexpr std::size_t kMaxOutput = 4096;
constexpr std::chrono::seconds kLastOutput{2};

// What the container prints before its agent answers. The engine keeps no log of a container that it has removed.
class BootOutput final {
 public:
  void Add(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    text_ += bytes.substr(0, kMaxOutput - std::min(kMaxOutput, text_.size()));
  }
  auto Show() const -> std::string {
    const std::lock_guard lock(mutex_);
    return text_.empty() ? "It printed nothing." : "It printed:\n" + text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// Readable once the container has ended: an agent that cannot even start is known at once, not when the deadline
// passes.
class EndWatch final {
 public:
  EndWatch(const docker::Engine& engine, std::string id)
      : fd_(::eventfd(0, EFD_CLOEXEC)), thread_([this, &engine, id = std::move(id)](const std::stop_token& stop) {
          ::pthread_setname_np(::pthread_self(), "penstock-await");
          const auto ended = engine.Wait(id, docker::WaitFor::kNextExit, docker::Call(base::Deadline::Never(), stop));
          if (ended) exit_code_ = *ended;
          if (!ended && ended.error().code() == base::ErrorCode::kCancelled) return;
          Wake();
        }) {}

  auto fd() const noexcept -> int { return fd_.get(); }
  void Wake() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof(one));
  }
  /// Known once readable, unless the engine removed the container before it was asked.
  auto Describe() const -> std::string {
    const auto code = exit_code_.load();
    return code < 0 ? "ended" : DescribeExit(code);
  }

 private:
  base::UniqueFd fd_;
  std::atomic<std::int64_t> exit_code_ = -1;
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

}  // namespace

auto ListenForBoot(const std::filesystem::path& directory) -> base::Expected<base::UniqueFd> {
  std::error_code error;
  std::filesystem::create_directory(directory, error);
  if (error)
    return base::Fail(base::ErrorCode::kUnavailable, "cannot create '{}': {}", directory.string(), error.message());
  // The container's user may differ from ours; its directory can be reached through the mount only.
  PENSTOCK_ASSIGN(auto listener, base::ListenPacket((directory / kBootSocket).string(), 0666));
  if (::chmod(directory.c_str(), 0755) != 0) return base::SystemError("open the bootstrap directory to the container");
  return listener;
}

auto StartAndBoot(const docker::Engine& engine, const std::string& id, const base::UniqueFd& boot_listener,
                  const base::UniqueFd& agent_listener, const docker::Call& call) -> base::Status {
  BootOutput output;
  PENSTOCK_ASSIGN(
      const auto attached,
      engine.Attach(id, [&](docker::OutputStream, std::string_view bytes) { output.Add(bytes); }, {}, call));
  const EndWatch end(engine, id);
  PENSTOCK_TRY(engine.Start(id, call));
  switch (AwaitBoot(boot_listener, end, call)) {
    case BootEvent::kConnected:
      break;
    case BootEvent::kEnded:
      static_cast<void>(attached.Wait(base::Deadline::In(kLastOutput)));  // its last words may still be on their way
      return base::Fail(base::ErrorCode::kUnavailable, "the container {} before its agent answered. {}", end.Describe(),
                        output.Show());
    case BootEvent::kStopped:
      return base::Fail(base::ErrorCode::kCancelled, "stopped while the container started");
    case BootEvent::kDeadline:
      return base::Fail(base::ErrorCode::kDeadline, "the container's agent did not answer in time. {}", output.Show());
  }
  PENSTOCK_ASSIGN(const auto boot, base::AcceptPacket(boot_listener));
  return worker::Send(boot, worker::Listen{}, agent_listener.get());
}

}  // namespace penstock::container
