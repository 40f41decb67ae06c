// One line of a session's log, and its spelling as JSON (docs/logs.md has the schema).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/log.h"

namespace penstock::observe {

/// Where a line comes from. `kLog` are records of a worker's logging; `kRuntime` is what the runtime itself has to say.
enum class Stream { kStdout, kStderr, kLog, kRuntime };

auto ToString(Stream stream) -> std::string_view;

struct LogRecord {
  std::int64_t time_ns = 0;  // since 1970, UTC; of a line: when it was read
  std::string node{};        // empty: the session itself
  Stream stream = Stream::kStdout;
  base::LogLevel level = base::LogLevel::kInfo;
  std::string logger{};  // of kLog records
  std::string event{};   // of the runtime's own records: "started", "failed", "ended", …; "dropped" for what is missing
  std::string text{};    // any bytes
  bool continued = false;     // the line was longer than the bound and goes on in the next record of its stream
  std::uint64_t dropped = 0;  // not a line, but so many that are missing here, of this node and stream
};

/// Nanoseconds since 1970.
auto Now() -> std::int64_t;

/// "error" to kError, and so on.
auto ParseLevel(std::string_view name) -> base::Expected<base::LogLevel>;

/// Appends one line of JSON with its newline. Bytes that are no UTF-8 are kept in full beside the readable text.
void AppendJson(const LogRecord& record, std::string_view session, std::string& out);
/// The inverse. Errors: kPeerCorrupt when this is no record.
auto ParseRecord(std::string_view json) -> base::Expected<LogRecord>;

/// A line that a worker wrote to its log pipe (docs/worker-protocol.md). What is no such record is taken as text.
auto RecordOfWorker(std::string_view line, std::string node, std::int64_t read_ns) -> LogRecord;

}  // namespace penstock::observe
