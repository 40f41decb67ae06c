// The runtime's side of an agent, for tests: real agent processes, real workers.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/packet_socket.h"
#include "worker/protocol.h"

namespace penstock::worker::agent {

/// Everything that can hang is given this long before the test fails.
inline constexpr std::chrono::seconds kWatchdog{20};

/// A penstock-agent process of ours; killed and reaped with this object.
class AgentProcess final {
 public:
  explicit AgentProcess(const std::vector<std::string>& arguments, int lease_fd = -1,
                        std::uint64_t descriptor_limit = 0);
  AgentProcess(const AgentProcess&) = delete;
  auto operator=(const AgentProcess&) -> AgentProcess& = delete;
  ~AgentProcess();

  auto pid() const -> pid_t { return pid_; }
  void Kill(int signal) const;
  /// Its wait(2) status.
  auto Wait() -> int;

 private:
  pid_t pid_ = -1;
  base::UniqueFd pidfd_;
  bool reaped_ = false;
};

/// One lease.
class Client final {
 public:
  explicit Client(base::PacketSocket socket) : socket_(std::move(socket)) {}
  /// Starts `penstock-agent --lease 3` and takes the lease.
  static auto OnHost(std::unique_ptr<AgentProcess>& agent, std::uint64_t descriptor_limit = 0) -> Client;

  auto socket() -> base::PacketSocket& { return socket_; }
  void Ask(const Lease& lease);
  void AskStanding();
  auto TakeLease(const Lease& lease = {.session = "test", .keep_warm_ms = 60'000}) -> Granted;
  /// A shell script with the pipe `out` as descriptor 1.
  void SpawnShell(std::uint64_t id, const std::string& script, int out);
  void SpawnRaw(const Spawn& spawn);
  template <class Message>
  auto Next(base::UniqueFd* fd = nullptr) -> Message {
    auto received = ParseFromAgent(socket_.Receive(base::Deadline::In(kWatchdog)).value()).value();
    if (fd != nullptr) *fd = std::move(received.fds.at(0));
    return std::get<Message>(received.message);
  }

 private:
  base::PacketSocket socket_;
};

struct Pipe {
  base::UniqueFd read;
  base::UniqueFd write;
};
auto NewPipe() -> Pipe;
/// Everything until all writers are gone.
auto ReadAll(const base::UniqueFd& fd) -> std::string;
auto ReadLine(const base::UniqueFd& fd) -> std::string;
/// Waits (by pidfd) until the process has ended; it may be anybody's child.
auto Ended(const base::UniqueFd& pidfd) -> bool;
auto OpenPidfd(pid_t pid) -> base::UniqueFd;

}  // namespace penstock::worker::agent
