// The keeper: a small process between agent and worker. It is the worker's subreaper, so that nothing the worker starts
// can escape it, and it survives a kill -9 of the agent just long enough to end the worker's whole tree.
//
// Agent and keeper share a socket pair, the lifeline. The keeper reports through it; its end of file tells the keeper
// that the lease is over or the agent dead.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/packet_socket.h"
#include "worker/agent/exec.h"
#include "worker/protocol.h"

namespace penstock::worker::agent {

/// What a keeper says, as raw bytes: both ends are the same executable.
struct KeeperReport {
  enum class Kind : std::int32_t { kStarted, kFailed, kEnded } kind = Kind::kStarted;
  pid_t pid = 0;            // kStarted, with the worker's pidfd
  ExecFailure failure{};    // kFailed
  std::int32_t status = 0;  // kEnded: as of wait(2)
  std::int64_t user_ms = 0;
  std::int64_t system_ms = 0;
  std::int64_t max_rss_kb = 0;
};

struct ReceivedReport {
  KeeperReport report;
  base::UniqueFd pidfd;
};

struct KeeperHandle {
  pid_t pid = 0;
  base::PacketSocket lifeline;
};

/// Forks a keeper, which starts the worker; with `domain` (see domain.h) not 0, in a domain of that version. The caller
/// must be single-threaded.
auto StartKeeper(const Spawn& spawn, const std::vector<base::UniqueFd>& fds, int domain)
    -> base::Expected<KeeperHandle>;

/// The next report. kPeerGone when the keeper has ended.
auto ReceiveReport(const base::PacketSocket& lifeline) -> base::Expected<ReceivedReport>;

}  // namespace penstock::worker::agent
