// Messages that a node could not handle however often it was tried, kept as files so that the stream could go on.
//
//   $XDG_STATE_HOME/penstock/quarantine/{id}/
//       message.json   what happened: Quarantined, with `"version": 1`
//       message.bin    message::Header, then the payload and from the next multiple of 8 the metadata, as they were in
//                      shared memory: written by the node's worker, to be checked before it is believed
//
// A folder appears whole, by being renamed. Until then it is {id}.unfinished, and who writes holds `.lock` shared: what
// is unfinished while nobody holds it was left by a runtime that was killed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/unique_fd.h"

namespace penstock::observe {

struct Quarantined {
  struct Failure {
    std::string sentence;
    std::string traceback;
  };
  std::string id;            // {session}-{node}-{edge's number among the node's inputs}-{sequence}
  std::int64_t time_ns = 0;  // CLOCK_REALTIME
  std::string session;
  std::string pipeline;
  std::string manifest;  // absolute path
  std::string node;
  std::string node_type;
  std::string port;  // of the node
  std::string edge;
  std::uint64_t sequence = 0;
  std::vector<Failure> failures;  // one an attempt, in order
};

auto ToJson(const Quarantined& entry) -> nlohmann::json;

/// What a quarantine may take of the disk, unless its user says otherwise.
constexpr std::uint64_t kQuarantineBytes = std::uint64_t{1} << 30U;

/// $XDG_STATE_HOME/penstock/quarantine, created.
auto QuarantineDirectory() -> base::Expected<std::filesystem::path>;

/// Writes one entry. What is neither committed nor discarded is removed with this object.
class QuarantineWriter final {
 public:
  static auto Create(const std::filesystem::path& quarantine, Quarantined entry) -> base::Expected<QuarantineWriter>;
  QuarantineWriter(QuarantineWriter&&) noexcept = default;
  auto operator=(QuarantineWriter&&) noexcept -> QuarantineWriter& = default;
  QuarantineWriter(const QuarantineWriter&) = delete;
  auto operator=(const QuarantineWriter&) -> QuarantineWriter& = delete;
  ~QuarantineWriter();

  /// Errors: the disk's.
  auto Write(std::span<const std::byte> bytes) -> base::Status;
  /// From now on the entry is there, on the disk. Errors: the disk's.
  auto Commit() -> base::Status;

 private:
  QuarantineWriter(base::FileLock lock, Quarantined entry, std::filesystem::path unfinished, base::UniqueFd file)
      : lock_(std::move(lock)), entry_(std::move(entry)), unfinished_(std::move(unfinished)), file_(std::move(file)) {}
  base::FileLock lock_;
  Quarantined entry_;
  std::filesystem::path unfinished_;  // empty when moved from, or committed
  base::UniqueFd file_;
};

/// Removes what runtimes that were killed have left unfinished; nothing while somebody writes. Without effect where
/// there is no quarantine.
void SweepQuarantine(const std::filesystem::path& quarantine);

/// What all entries take, those that are being written too.
auto QuarantinedBytes(const std::filesystem::path& quarantine) -> std::uint64_t;
/// Folders of entries whose description cannot be read, as after a power cut.
auto ListDamaged(const std::filesystem::path& quarantine) -> std::vector<std::string>;
/// All entries, oldest first. What cannot be read is left out.
auto ListQuarantined(const std::filesystem::path& quarantine) -> std::vector<Quarantined>;
/// The one entry whose id begins with `prefix`. Errors: kNotFound; kConflict, with some of those that do.
auto FindQuarantined(const std::filesystem::path& quarantine, std::string_view prefix) -> base::Expected<Quarantined>;

}  // namespace penstock::observe
