// One worker as the session holds it: its control channel, its output pipes and its end. Lives on the session's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/packet_socket.h"
#include "container/agent_lease.h"
#include "observe/line_reader.h"
#include "session/observer.h"
#include "worker/protocol.h"

namespace penstock::session {

/// What to execute, as seen from where the agent is.
struct WorkerCommand {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
  std::string cwd;
};

class WorkerProcess final {
 public:
  struct Handlers {
    std::function<void(worker::Received<worker::FromWorker>)> on_message;
    std::function<void(Stream, base::LogLevel, std::string_view)> on_line;
    /// The agent could not start it.
    std::function<void(const base::Error&)> on_spawn_failed;
    /// It has ended, says its pidfd; the agent's report follows unless something is wrong with the agent.
    std::function<void()> on_died;
    /// The worker broke the protocol.
    std::function<void(const base::Error&)> on_protocol_error;
  };

  WorkerProcess(base::EventLoop& loop, Handlers handlers);
  WorkerProcess(const WorkerProcess&) = delete;
  auto operator=(const WorkerProcess&) -> WorkerProcess& = delete;
  ~WorkerProcess();

  auto Spawn(container::AgentLease& lease, std::uint64_t id, const WorkerCommand& command) -> base::Status;
  auto Send(const worker::ToWorker& message) -> base::Status;
  /// Reads what is left in the channel and the pipes, after the worker's end: its last words may still be there when
  /// the agent's report of its end is read.
  void DrainControl();
  void DrainOutput();

 private:
  struct Pipe {
    base::UniqueFd fd;
    observe::LineReader reader;
  };
  auto OpenPipe(Stream stream) -> base::Expected<base::UniqueFd>;
  void OnLine(Stream stream, std::string_view text);
  /// False when there was nothing more to read.
  auto ReadControl(base::Deadline deadline) -> bool;

  base::EventLoop& loop_;
  Handlers handlers_;
  base::PacketSocket control_;
  std::map<Stream, Pipe> pipes_;
  base::UniqueFd pidfd_;
};

}  // namespace penstock::session
