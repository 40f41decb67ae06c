// What is asked of the engine and what it answers, as plain values. Sizes are bytes, times are since 1970 (UTC).
// Every member has an initialiser, so that designated ones may leave it out.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::docker {

using Strings = std::vector<std::string>;
using StringMap = std::map<std::string, std::string>;

// ---- the engine ----

struct ApiVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const ApiVersion&) const = default;
};

struct Version {
  std::string engine{};  // "20.10.24"
  ApiVersion api{};      // newest that the engine speaks
  ApiVersion api_min{};  // oldest
  std::string os{};      // "linux"
  std::string arch{};    // "amd64"
  std::string kernel{};  // uname -r as the engine sees it
};

struct SystemInfo {
  std::string id{};  // the engine's own, stable over restarts
  std::string name{};
  std::string root_dir{};  // "/var/lib/docker"
  std::string storage_driver{};
  std::string cgroup_driver{};
  std::string cgroup_version{};  // "1" or "2"
  Strings security_options{};    // "name=seccomp,profile=default", "name=rootless", …
  Strings warnings{};
  int cpus = 0;
  std::int64_t memory_bytes = 0;
};

// ---- images ----

struct Image {
  std::string id{};  // "sha256:…"
  Strings tags{};    // "name:tag"
  Strings layers{};  // RootFS.Layers, lowest first: the content, where `id` also covers the configuration's dates
  std::string os{};
  std::string arch{};
  std::string created{};  // RFC 3339
  std::int64_t size_bytes = 0;
  StringMap labels{};
  Strings env{};  // "NAME=value"
  Strings entrypoint{};
  Strings command{};
  std::string user{};
  std::string working_dir{};
};

struct ImageSummary {
  std::string id{};
  Strings tags{};
  StringMap labels{};
  std::int64_t created = 0;  // seconds
  std::int64_t size_bytes = 0;
};

struct RemoveImageOptions {
  bool force = false;         // also when several tags point at it or a stopped container uses it
  bool keep_parents = false;  // do not remove untagged parents
};

/// One line of what the engine says while it builds, pulls or imports.
struct Progress {
  std::string text{};    // output of a build step, or "Pulling fs layer"; may hold several lines or end without one
  std::string layer{};   // id that `text` is about, when pulling
  std::string detail{};  // "[====>   ] 12MB/40MB"
};
using ProgressSink = std::function<void(const Progress&)>;  // on the I/O thread: short, no blocking calls

/// Reads the next bytes of a body into the given room; 0 at its end, nullopt when reading fails (ends the request).
using BodyReader = std::function<std::optional<std::size_t>(char* room, std::size_t size)>;

struct BuildSpec {
  std::string context{};        // the build context as a tar (see tar.h) …
  BodyReader context_reader{};  // … or, when set, where to read it from piece by piece; called on the I/O thread
  std::string dockerfile = "Dockerfile";  // path inside the context
  Strings tags{};
  StringMap labels{};
  StringMap build_args{};  // visible in the image's history: never secrets
  std::string target{};    // stage; empty: the last
  std::string network{};   // of RUN steps; empty: the engine's default
  bool use_cache = true;
  bool pull = false;  // ask the registry for newer bases even when they are here
};

struct CommitSpec {
  std::string container{};
  std::string repository{};  // empty: untagged
  std::string tag = "latest";
  std::string comment{};
  StringMap labels{};  // added to the container's
  Strings changes{};   // Dockerfile instructions, "WORKDIR /srv"
  Strings command{};   // empty: the container's
  bool pause = true;
};

// ---- containers ----

struct BindMount {
  std::string source{};  // absolute path on the host; must exist
  std::string target{};  // absolute path in the container
  bool read_only = true;
};

struct TmpfsMount {
  std::string target{};
  std::int64_t size_bytes = 0;  // 0: the kernel's default, half of the memory
  std::string options{};        // more mount options: "mode=1777,exec"
};

/// A device node of the host, handed over with the rights to use it.
struct Device {
  std::string host_path{};
  std::string container_path{};
  std::string permissions = "rwm";  // read, write, mknod
};

/// GPUs, as the engine's driver for them counts or names them.
struct GpuRequest {
  std::int64_t count = 0;  // -1: all; 0: those in `ids`
  Strings ids{};
};

struct Ulimit {
  std::string name{};  // "nofile"
  std::int64_t soft = 0;
  std::int64_t hard = 0;
};

/// A container to create. The defaults are the engine's; what is locked down says who makes the plan.
struct ContainerSpec {
  std::string name{};  // empty: the engine picks one
  std::string image{};
  Strings command{};                    // empty: the image's
  std::optional<Strings> entrypoint{};  // nullopt: the image's; empty: none
  StringMap env{};
  std::string user{};  // "1000:1000"
  std::string working_dir{};
  std::string hostname{};
  StringMap labels{};

  std::vector<BindMount> mounts{};
  std::vector<TmpfsMount> tmpfs{};
  std::string network{};                       // "none", "bridge", "host"; empty: the engine's default
  std::optional<std::int64_t> memory_bytes{};  // hard limit, swap included
  std::optional<std::int64_t> nano_cpus{};     // 1'000'000'000 is one core
  std::optional<std::int64_t> pids_limit{};
  std::optional<std::int64_t> shm_bytes{};
  std::vector<Ulimit> ulimits{};
  std::vector<Device> devices{};
  std::optional<GpuRequest> gpus{};

  bool read_only_root = false;
  Strings cap_drop{};
  Strings cap_add{};
  Strings security_options{};  // "no-new-privileges"
  bool init = false;           // the engine's init as PID 1
  bool auto_remove = false;    // by the engine, as soon as it has ended; not when it never ran
  std::string log_driver{};    // "none", "local"; empty: the engine's default

  std::string extra_json{};  // merged over the request last (RFC 7386): what has no field here
};

struct ContainerState {
  std::string status{};  // created, running, paused, restarting, removing, exited, dead
  bool running = false;
  bool oom_killed = false;  // some process of it was; the main one only when exit_code is 137 as well
  int pid = 0;              // on the host; 0 when not running
  std::int64_t exit_code = 0;
  std::string error{};       // why it could not start
  std::string started_at{};  // RFC 3339 with nanoseconds
  std::string finished_at{};
};

struct Container {
  std::string id{};
  std::string name{};
  std::string image{};     // as asked for
  std::string image_id{};  // "sha256:…"
  std::string created{};   // RFC 3339
  ContainerState state{};
  StringMap labels{};
  std::string raw{};  // the whole answer, JSON
};

struct ContainerSummary {
  std::string id{};
  std::string name{};
  std::string image{};
  std::string image_id{};
  std::string state{};       // as ContainerState::status
  std::int64_t created = 0;  // seconds
  StringMap labels{};
};

struct CreatedContainer {
  std::string id{};
  Strings warnings{};  // limits that this kernel cannot enforce, and the like
};

enum class WaitFor { kNotRunning, kNextExit, kRemoved };

/// Who removed a container: this call, or somebody else before it had done so.
enum class Removal { kRemoved, kWasGone };

// ---- output and events ----

enum class OutputStream { kStdout, kStderr };
/// Pieces as they arrive, not lines. On the I/O thread: short, no blocking calls; a slow sink stalls the container.
using OutputSink = std::function<void(OutputStream, std::string_view)>;

struct LogQuery {
  std::optional<std::int64_t> tail_lines{};  // nullopt: all
  std::optional<std::chrono::system_clock::time_point> since{};
  bool timestamps = false;  // RFC 3339 with nanoseconds before each line
};

struct Output {
  std::string out{};
  std::string err{};
};

struct EventFilter {
  Strings types{};   // "container", "image"; empty: all
  Strings events{};  // "die", "oom", "start", "destroy"; empty: all
  Strings labels{};  // "name" or "name=value", all of them
  Strings containers{};
};

struct Event {
  std::string type{};      // "container"
  std::string action{};    // "die"
  std::string id{};        // of the container or image
  StringMap attributes{};  // name, image, exitCode, the object's labels
  std::chrono::system_clock::time_point time{};
};
using EventSink = std::function<void(const Event&)>;

}  // namespace penstock::docker
