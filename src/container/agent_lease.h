// A session's hold on an agent: through it workers are started, signalled and reported, and when it closes (also
// because this process died) the agent ends them all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "base/event_loop.h"
#include "base/packet_socket.h"
#include "worker/protocol.h"

namespace penstock::container {

/// A worker as its starter holds it.
struct StartedWorker {
  std::uint64_t id = 0;
  base::UniqueFd pidfd;
};

class AgentLease final {
 public:
  struct Handlers {
    std::function<void(const worker::Exited&)> on_exited;
    /// The agent is gone, and every worker with it. Called once; the lease is of no more use.
    std::function<void(const base::Error&)> on_lost;
  };

  /// Asks for the lease and waits until it is granted. Blocking; any thread. Errors: kPeerGone when the agent is about
  /// to end (use another container); kExhausted when it serves as many sessions as `ask` allows; kDeadline.
  static auto Acquire(base::PacketSocket socket, worker::Lease ask, base::Deadline deadline)
      -> base::Expected<AgentLease>;

  AgentLease(AgentLease&&) noexcept = default;
  auto operator=(AgentLease&&) noexcept -> AgentLease& = default;
  AgentLease(const AgentLease&) = delete;
  auto operator=(const AgentLease&) -> AgentLease& = delete;
  ~AgentLease();

  /// From now on the lease lives on the loop's thread and must not be moved.
  auto Serve(base::EventLoop& loop, Handlers handlers) -> base::Status;
  /// Asks for a worker. `on_started` gets its pidfd or why it could not be started.
  auto Spawn(worker::Spawn request, std::function<void(base::Expected<StartedWorker>)> on_started) -> base::Status;
  /// Sends a signal to a worker; nothing happens when it has ended already.
  auto Kill(std::uint64_t id, int signal) -> base::Status;
  /// Gives the lease back: all its workers end.
  void Close();

  auto granted() const noexcept -> const worker::Granted& { return granted_; }

 private:
  AgentLease(base::PacketSocket socket, worker::Granted granted);
  void OnReadable();

  base::PacketSocket socket_;
  worker::Granted granted_;
  base::EventLoop* loop_ = nullptr;
  Handlers handlers_;
  std::map<std::uint64_t, std::function<void(base::Expected<StartedWorker>)>> starting_;
};

}  // namespace penstock::container
