#include "container/entry.h"

#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/log.h"
#include "base/uuid.h"

namespace penstock::container {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr auto kRecordFile = "record.json";
constexpr std::size_t kLargestRecord = 4096;
// Enough to tell identities apart in a name; the record has all digits. A socket's path has 108 bytes in all.
constexpr std::size_t kIdentityDigits = 12;
constexpr std::size_t kLockDigits = 3;  // 4096 creation locks at most
constexpr std::chrono::seconds kConnectTimeout{2};

auto IsSilent(const fs::path& entry) -> bool {
  const auto standing = AskAgent(entry, base::Deadline::In(kAnswerTimeout));
  return !standing && standing.error().code() == base::ErrorCode::kDeadline;
}

auto Prefix(const std::string& identity) -> std::string { return identity.substr(0, kIdentityDigits) + "-"; }

}  // namespace

auto NewEntryName(const std::string& identity, bool shared) -> std::string {
  // The last group of a version 7 UUID is random. No identity begins with an 'x'.
  return (shared ? Prefix(identity) : "x-") + base::NewUuidV7().substr(24);
}

auto FindEntries(const std::string& identity) -> base::Expected<std::vector<fs::path>> {
  PENSTOCK_ASSIGN(const auto parent, EntriesDirectory());
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    if (!entry.path().filename().string().starts_with(Prefix(identity))) continue;
    if (const auto record = ReadRecord(entry.path()); record && record->identity == identity)
      found.push_back(entry.path());
  }
  return found;
}

auto CreationLock(const std::string& identity) -> base::Expected<fs::path> {
  PENSTOCK_ASSIGN(const auto parent, EntriesDirectory());
  return parent / (identity.substr(0, kLockDigits) + ".lock");
}

auto AgentSocket(const fs::path& entry) -> fs::path { return entry / "agent.sock"; }
auto BootDirectory(const fs::path& entry) -> fs::path { return entry / "boot"; }

auto WriteRecord(const fs::path& entry, const Record& record) -> base::Status {
  const json file{{"identity", record.identity}, {"container", record.container}};
  return base::ReplaceFile(entry / kRecordFile, file.dump() + '\n');
}

auto ReadRecord(const fs::path& entry) -> std::optional<Record> {
  const auto text = base::ReadFile(entry / kRecordFile, kLargestRecord);
  if (!text) return std::nullopt;
  const auto value = json::parse(*text, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  const auto identity = value.find("identity");
  const auto container = value.find("container");
  if (identity == value.end() || container == value.end() || !identity->is_string() || !container->is_string())
    return std::nullopt;
  return Record{.identity = identity->get<std::string>(), .container = container->get<std::string>()};
}

auto AgentAnswers(const fs::path& entry) -> bool {
  const auto connected = base::PacketSocket::Connect(AgentSocket(entry), base::Deadline::In(kConnectTimeout));
  // Anything but a refusal (a backlog that is full, say) is no proof.
  return connected || (connected.error().code() != base::ErrorCode::kPeerGone &&
                       connected.error().code() != base::ErrorCode::kNotFound);
}

auto AskAgent(const fs::path& entry, base::Deadline deadline) -> base::Expected<worker::Standing> {
  PENSTOCK_ASSIGN(const auto socket, base::PacketSocket::Connect(AgentSocket(entry), deadline));
  PENSTOCK_TRY(worker::Send(socket, worker::ToAgent(worker::Ask{})));
  PENSTOCK_ASSIGN(auto packet, socket.Receive(deadline));
  PENSTOCK_ASSIGN(const auto answer, worker::ParseFromAgent(std::move(packet)));
  if (const auto* standing = std::get_if<worker::Standing>(&answer.message)) return *standing;
  return base::Fail(base::ErrorCode::kPeerCorrupt, "the agent answered a question with something else");
}

auto SweepEntries(Sweep which, const std::function<base::Status(const LockedDirectory&)>& remove) -> base::Status {
  PENSTOCK_ASSIGN(const auto parent, EntriesDirectory());
  std::error_code error;
  base::Status failed;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    if (!entry.is_directory(error)) continue;
    if (which != Sweep::kUnused && AgentAnswers(entry.path()) && (which == Sweep::kEnded || !IsSilent(entry.path()))) {
      continue;
    }
    const auto claimed = LockedDirectory::Claim(entry.path());
    if (!claimed) continue;
    if (auto removed = remove(*claimed); !removed) {
      failed = std::move(removed);  // one that cannot be removed must not keep the others
      continue;
    }
    base::Log(base::LogLevel::kInfo, "removed what was left of container {}", EngineName(entry.path()));
  }
  return failed;
}

}  // namespace penstock::container
