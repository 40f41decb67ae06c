#include "container/boot.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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
// What an agent gets to answer once the engine, which would tell of its end, is lost: it takes milliseconds.
constexpr std::chrono::seconds kUnwatchedBoot{5};

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

// Readable once the container has ended, or nobody will tell any more: an agent that cannot even start is known at
// once, not when the deadline passes.
class EndWatch final {
 public:
  EndWatch(const docker::Engine& engine, std::string id)
      : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        thread_([this, &engine, id = std::move(id)](const std::stop_token& stop) {
          ::pthread_setname_np(::pthread_self(), "penstock-await");
          const auto ended = engine.Wait(id, docker::WaitFor::kNextExit, docker::Call(base::Deadline::Never(), stop));
          if (!ended && ended.error().code() == base::ErrorCode::kCancelled) return;
          Learn(ended);
          Wake();
        }) {}

  auto fd() const noexcept -> int { return fd_.get(); }
  void Wake() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof(one));
  }
  void Reset() const noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(fd_.get(), &count, sizeof(count));
  }
  /// How it ended. nullopt: it may be alive.
  auto how() const -> std::optional<std::string> {
    const std::lock_guard lock(mutex_);
    return how_;
  }
  /// Why nobody will tell when it ends: the engine was lost.
  auto problem() const -> std::optional<base::Error> {
    const std::lock_guard lock(mutex_);
    return problem_;
  }

 private:
  // That it is not there any more proves its end: the engine removes what has ended. A lost connection proves nothing.
  void Learn(const base::Expected<std::int64_t>& ended) {
    const std::lock_guard lock(mutex_);
    if (ended) {
      how_ = DescribeExit(*ended);
    } else if (ended.error().code() == base::ErrorCode::kNotFound) {
      how_ = "ended";
    } else {
      problem_ = ended.error();
    }
  }

  base::UniqueFd fd_;
  mutable std::mutex mutex_;
  std::optional<std::string> how_;
  std::optional<base::Error> problem_;
  std::jthread thread_;
};

enum class BootEvent { kConnected, kEnded, kUnwatched, kStopped, kDeadline };

auto AwaitBoot(const base::UniqueFd& listener, const EndWatch& end, const docker::Call& call) -> BootEvent {
  const std::stop_callback stopped(call.stop, [&end] { end.Wake(); });
  std::array<pollfd, 2> fds{pollfd{.fd = listener.get(), .events = POLLIN, .revents = 0},
                            pollfd{.fd = end.fd(), .events = POLLIN, .revents = 0}};
  auto deadline = call.deadline;
  for (;;) {
    const int ready = ::poll(fds.data(), fds.size(), deadline.poll_timeout_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (call.stop.stop_requested()) return BootEvent::kStopped;
    if (ready == 0) return end.problem() ? BootEvent::kUnwatched : BootEvent::kDeadline;
    if (fds[0].revents != 0) return BootEvent::kConnected;
    if (end.how()) return BootEvent::kEnded;
    end.Reset();
    const auto left = deadline.remaining();
    if (!left || *left > kUnwatchedBoot) deadline = base::Deadline::In(kUnwatchedBoot);
  }
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
  EndWatch end(engine, id);  // NOLINT(misc-const-correctness): its thread writes to it
  PENSTOCK_TRY(engine.Start(id, call));
  switch (AwaitBoot(boot_listener, end, call)) {
    case BootEvent::kConnected:
      break;
    case BootEvent::kEnded:
      static_cast<void>(attached.Wait(base::Deadline::In(kLastOutput)));  // its last words may still be on their way
      return base::Fail(base::ErrorCode::kUnavailable, "the container {} before its agent answered. {}",
                        end.how().value_or("ended"), output.Show());
    case BootEvent::kUnwatched:
      return tl::make_unexpected(end.problem().value().While("waiting for the container's agent"));
    case BootEvent::kStopped:
      return base::Fail(base::ErrorCode::kCancelled, "stopped while the container started");
    case BootEvent::kDeadline:
      return base::Fail(base::ErrorCode::kDeadline, "the container's agent did not answer in time. {}", output.Show());
  }
  PENSTOCK_ASSIGN(const auto boot, base::AcceptPacket(boot_listener));
  return worker::Send(boot, worker::Listen{}, agent_listener.get());
}

}  // namespace penstock::container
