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

namespace penstock::container {

/// What others need to know before they ask for a lease.
struct Record {
  std::string identity;
  std::string container;  // id
};

auto EntriesDirectory() -> base::Expected<std::filesystem::path>;
/// A name for a new entry. `identity` may be shared or not: an unshared one is found by nobody.
auto NewEntryName(const std::string& identity, bool shared) -> std::string;
/// The containers of this identity that are offered to others, whatever their state.
auto FindEntries(const std::string& identity) -> base::Expected<std::vector<std::filesystem::path>>;
/// Held while a container of this identity is made, so that others wait for it instead of making a second one.
auto CreationLock(const std::string& identity) -> base::Expected<std::filesystem::path>;

auto AgentSocket(const std::filesystem::path& entry) -> std::filesystem::path;
auto BootDirectory(const std::filesystem::path& entry) -> std::filesystem::path;
/// The engine's name of the container, known before and after it exists.
auto EngineName(const std::filesystem::path& entry) -> std::string;

auto WriteRecord(const std::filesystem::path& entry, const Record& record) -> base::Status;
/// nullopt: not written yet, or gone.
auto ReadRecord(const std::filesystem::path& entry) -> std::optional<Record>;

/// Whether an agent would answer: false is the proof of its end, for an entry that is offered.
auto AgentAnswers(const std::filesystem::path& entry) -> bool;

enum class Sweep {
  kEnded,   // what nobody uses and whose agent has ended
  kUnused,  // warm containers too
};

/// Entries that nobody uses: `remove` is called with each engine name, the entry claimed
/// meanwhile; the entry goes when that succeeded. Costs one directory listing when there are none.
auto SweepEntries(Sweep which, const std::function<base::Status(const std::string& engine_name)>& remove)
    -> base::Status;

}  // namespace penstock::container
