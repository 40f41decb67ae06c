// A container's entry below the user's runtime directory: how other runtimes find it, whether it is in use, and what is
// left of it when it is not.
//
//   {base::RuntimeDirectory}/c/{first digits of the identity}-{random}/
//       lock         held by every runtime that uses the container (locked_directory.h)
//       agent.sock   where leases are asked for; refuses connections once the agent has ended
//       boot/        the only part that the container sees, read-only: boot.sock
//       record.json  written last: only then is the container offered to others
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/packet_socket.h"
#include "container/locked_directory.h"
#include "docker/ownership.h"
#include "worker/protocol.h"

namespace penstock::container {

/// What others need to know before they ask for a lease.
struct Record {
  std::string identity;
  std::string container;  // id
};

/// An agent that runs answers within it, also on a loaded host; one that does not is stopped or wedged.
inline constexpr std::chrono::seconds kAnswerTimeout{3};

using docker::EngineName;
using docker::EntriesDirectory;
/// A name for a new entry. `identity` may be shared or not: an unshared one is found by nobody.
auto NewEntryName(const std::string& identity, bool shared) -> std::string;
/// The containers of this identity that are offered to others, whatever their state.
auto FindEntries(const std::string& identity) -> base::Expected<std::vector<std::filesystem::path>>;
/// Held while a container of this identity is made, so that others wait for it instead of making a second one. One of
/// a fixed number of files, which are never removed: now and then two identities wait for each other.
auto CreationLock(const std::string& identity) -> base::Expected<std::filesystem::path>;

auto AgentSocket(const std::filesystem::path& entry) -> std::filesystem::path;
auto BootDirectory(const std::filesystem::path& entry) -> std::filesystem::path;

auto WriteRecord(const std::filesystem::path& entry, const Record& record) -> base::Status;
/// nullopt: not written yet, or gone.
auto ReadRecord(const std::filesystem::path& entry) -> std::optional<Record>;

/// Whether an agent listens: false is the proof of its end, for an entry that is offered.
auto AgentAnswers(const std::filesystem::path& entry) -> bool;
/// Asks the agent what it does. Errors: kDeadline when it listens but does not answer: it is stopped, or its container
/// is paused; others when it has ended.
auto AskAgent(const std::filesystem::path& entry, base::Deadline deadline) -> base::Expected<worker::Standing>;

enum class Sweep {
  kEnded,   // what nobody uses and whose agent has ended
  kSilent,  // that, and whose agent does not answer: those are waited for
  kUnused,  // warm containers too
};

/// Entries that nobody uses: `remove` is called with each of them, claimed, and removes it. Costs one directory listing
/// when there are none.
auto SweepEntries(Sweep which, const std::function<base::Status(const LockedDirectory& claimed)>& remove)
    -> base::Status;

}  // namespace penstock::container
