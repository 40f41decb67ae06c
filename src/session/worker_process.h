// One worker as the session holds it: its control channel, its output pipes and its end. Lives on the session's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/packet_socket.h"
#include "container/agent_lease.h"
#include "observe/line_reader.h"
#include "observe/traceback_group.h"
#include "session/observer.h"
#include "worker/protocol.h"

namespace penstock::session {

/// What to execute, as seen from where the agent is.
struct WorkerCommand {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
  std::string cwd;
  std::string share{};  // workers with the same key may be one process (see share_key.h); empty: never
};

class WorkerProcess final {
 public:
  /// A log record with a message of 1 MiB (the SDK cuts longer ones), which its JSON may spell with several times that.
  static constexpr std::size_t kMaxRecordBytes = std::size_t{8} << 20U;

  struct Handlers {
    std::function<void(worker::Received<worker::FromWorker>)> on_message;
    /// Lines that it wrote; more than one when they belong together.
    std::function<void(std::vector<observe::LogRecord>)> on_lines;
    /// Whether its standard output may be read; if not, `resume` is called later, on any thread.
    std::function<bool(const std::function<void()>& resume)> has_room;
    /// It runs: which may be later than asked for, when it waits for a process that it may share.
    std::function<void()> on_spawned;
    /// The agent could not start it.
    std::function<void(const base::Error&)> on_spawn_failed;
    /// It has ended, says its pidfd; the agent's report follows unless something is wrong with the agent.
    std::function<void()> on_died;
    /// It has closed its control channel: it is about to end, or should be.
    std::function<void()> on_hung_up;
    /// The worker broke the protocol.
    std::function<void(const base::Error&)> on_protocol_error;
  };

  WorkerProcess(base::EventLoop& loop, std::string node, Handlers handlers);
  WorkerProcess(const WorkerProcess&) = delete;
  auto operator=(const WorkerProcess&) -> WorkerProcess& = delete;
  ~WorkerProcess();

  auto Spawn(container::AgentLease& lease, std::uint64_t id, const WorkerCommand& command) -> base::Status;
  auto Send(const worker::ToWorker& message) -> base::Status;
  /// Becomes readable when the worker has ended; invalid before it was spawned.
  auto pidfd() const noexcept -> const base::UniqueFd& { return pidfd_; }
  /// Reads what is left in the channel and the pipes, after the worker's end: its last words may still be there when
  /// the agent's report of its end is read.
  void DrainControl();
  void DrainOutput();

 private:
  struct Pipe {
    base::UniqueFd fd;
    observe::LineReader reader;
  };
  // What may be called after the worker's end, by whoever has room again for its output.
  struct Resume {
    std::mutex mutex;
    std::function<void()> post;
  };
  auto OpenPipe(Stream stream) -> base::Expected<base::UniqueFd>;
  auto WatchPipe(Stream stream) -> base::Status;
  void OnReadable(Stream stream);
  void OnLine(Stream stream, const observe::LineReader::Line& line);
  /// False when there was nothing more to read.
  auto ReadControl(base::Deadline deadline) -> bool;

  base::EventLoop& loop_;
  std::string node_;
  Handlers handlers_;
  observe::TracebackGroup errors_;  // of standard error
  std::shared_ptr<Resume> resume_ = std::make_shared<Resume>();
  std::int64_t read_ns_ = 0;  // when the lines being taken were read
  base::PacketSocket control_;
  std::map<Stream, Pipe> pipes_;
  base::UniqueFd pidfd_;
};

}  // namespace penstock::session
