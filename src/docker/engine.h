// Client of the Docker Engine API, for an engine on this machine.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "docker/call.h"
#include "docker/stream.h"
#include "docker/types.h"

namespace penstock::docker {

class HttpClient;
struct HttpRequest;
struct HttpResponse;

/// Newest API that this client was written against (Docker Engine 28.2), and oldest that it works with (20.10).
inline constexpr ApiVersion kNewestApi{1, 50};
inline constexpr ApiVersion kOldestApi{1, 41};

struct EngineOptions {
  std::string host{};          // "unix:///var/run/docker.sock" or a path; empty: $DOCKER_HOST, else the usual socket
  RequestObserver observer{};  // told about every request; empty: nobody
  /// Of an answer that is collected; a larger one is an error. What is followed, as a build, may be of any length, but
  /// not one line of it.
  std::size_t max_answer_bytes = 64UL << 20;
};

/// One engine, spoken to over its Unix socket with the newest API version that both sides know.
///
/// Calls block, each within its own `Call`; they are safe from any thread and run in parallel. One thread of the
/// class's own ("penstock-docker") does the I/O and runs the callbacks of streams. Names of containers and images are
/// ids, prefixes of ids, or names, as on Docker's command line.
///
/// Errors, for every call: kUnavailable (no engine, or it failed), kPermission (socket not ours), kUnsupported
/// (engine too old, too new or remote), kNotFound, kConflict, kInvalidArgument and kExhausted (the engine said so; the
/// sentence is the engine's), kDeadline, kCancelled, kPeerGone (connection lost), kPeerCorrupt (nonsense answer).
class Engine final {
 public:
  /// Finds the engine, agrees on the API version, and refuses engines that cannot work.
  static auto Connect(EngineOptions options, Call call) -> base::Expected<std::unique_ptr<Engine>>;
  Engine(const Engine&) = delete;
  auto operator=(const Engine&) -> Engine& = delete;
  /// Ends all streams. Not while another thread is inside a call.
  ~Engine();

  auto socket_path() const noexcept -> const std::string& { return socket_path_; }
  /// What the engine said about itself when the connection was made.
  auto version() const noexcept -> const Version& { return version_; }
  /// The agreed API version.
  auto api() const noexcept -> ApiVersion { return api_; }

  auto Ping(Call call) const -> base::Status;
  auto Info(Call call) const -> base::Expected<SystemInfo>;

  // Images.
  auto InspectImage(const std::string& image, Call call) const -> base::Expected<Image>;
  /// Images that carry all `labels` ("name" or "name=value"); all images when empty. Not intermediate ones.
  auto ListImages(const Strings& labels, Call call) const -> base::Expected<std::vector<ImageSummary>>;
  auto TagImage(const std::string& image, const std::string& repository, const std::string& tag, Call call) const
      -> base::Status;
  auto RemoveImage(const std::string& image, RemoveImageOptions options, Call call) const -> base::Status;
  /// Makes an image of one layer from a tar of a root file system. `changes` are Dockerfile instructions. Result: id.
  auto ImportImage(BodyReader rootfs_tar, const std::string& repository, const std::string& tag, const Strings& changes,
                   Call call) const -> base::Expected<std::string>;
  /// Fetches "name:tag" from its registry, anonymously.
  auto PullImage(const std::string& reference, const ProgressSink& progress, Call call) const -> base::Status;
  /// Builds with the classic builder; `progress` sees the steps' output. Result: image id. A failing step is an error
  /// with the engine's sentence.
  auto Build(const BuildSpec& spec, const ProgressSink& progress, Call call) const -> base::Expected<std::string>;
  /// Makes an image of a container's file system. Result: image id.
  auto Commit(const CommitSpec& spec, Call call) const -> base::Expected<std::string>;

  // Containers.
  auto Create(const ContainerSpec& spec, Call call) const -> base::Expected<CreatedContainer>;
  /// Success also when it runs already.
  auto Start(const std::string& container, Call call) const -> base::Status;
  /// `signal`: "SIGTERM", "KILL" or a number. Errors: kConflict when it does not run.
  auto Kill(const std::string& container, const std::string& signal, Call call) const -> base::Status;
  /// SIGTERM, then SIGKILL after `grace` (the engine's own stop knows whole seconds only). Success also when it does
  /// not run. Result: exit code.
  auto Stop(const std::string& container, std::chrono::milliseconds grace, Call call) const
      -> base::Expected<std::int64_t>;
  /// Waits for the container's end. Result: exit code.
  auto Wait(const std::string& container, WaitFor condition, Call call) const -> base::Expected<std::int64_t>;
  auto Inspect(const std::string& container, Call call) const -> base::Expected<Container>;
  /// Containers, running or not, that carry all `labels`; all when empty.
  auto List(const Strings& labels, Call call) const -> base::Expected<std::vector<ContainerSummary>>;
  /// Kills it when it runs, and removes it with its anonymous volumes. Success also when it is gone already; one that
  /// is being removed by somebody else is waited for.
  auto Remove(const std::string& container, Call call) const -> base::Expected<Removal>;
  /// What the engine's log driver has kept so far; complete once the container has ended. Does not follow. Errors: also
  /// kExhausted when that is more than EngineOptions::max_answer_bytes.
  auto Logs(const std::string& container, const LogQuery& query, Call call) const -> base::Expected<Output>;

  // Streams. `call` limits the time until the stream is established, not the stream.
  /// Output of a created container from its first byte: once this returned, a start cannot outrun it.
  auto Attach(const std::string& container, OutputSink sink, StreamEnd end, Call call) const -> base::Expected<Stream>;
  /// Events from the moment of this call on, none missed; in rare cases one is delivered twice.
  auto Events(const EventFilter& filter, EventSink sink, StreamEnd end, Call call) const -> base::Expected<Stream>;

 private:
  Engine(std::unique_ptr<HttpClient> http, std::string socket_path, std::size_t max_answer_bytes);
  auto Path(std::string_view path) const -> std::string;
  auto Ask(HttpRequest request, Call call) const -> base::Expected<HttpResponse>;
  auto Negotiate(Call call) -> base::Status;

  std::unique_ptr<HttpClient> http_;
  std::string socket_path_;
  std::size_t max_answer_bytes_;
  Version version_;
  ApiVersion api_;
};

}  // namespace penstock::docker
