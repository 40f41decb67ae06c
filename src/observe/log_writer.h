// A session's log on disk, written by a thread of its own ("penstock-log"), so that a disk that is slow or full holds
// up nobody: what cannot be kept is dropped, counted, and told in the log where it is missing.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "observe/log_files.h"
#include "observe/log_queue.h"
#include "observe/session_folder.h"

namespace penstock::observe {

struct LogLimits {
  RotateFiles files{};
  KeepSessions sessions{};
  std::size_t queue_bytes = std::size_t{32} << 20U;  // lines that wait to be written
};

/// What became of the lines of a session.
struct LogAccount {
  std::filesystem::path folder;  // empty: there was no log, `problem` says why
  std::uint64_t kept = 0;        // lines written
  std::uint64_t removed = 0;     // of those, lines that went with the oldest files
  LogCounts dropped;             // lines not written
  std::string problem;           // the last error of the disk

  auto dropped_lines() const -> std::uint64_t;
};

class LogWriter final {
 public:
  /// Begins the log of `session`. Never fails: without a place to write to, all lines are counted as dropped, with a
  /// warning. Removes old sessions' logs, on its own thread.
  LogWriter(std::string session, const LogLimits& limits);
  LogWriter(const LogWriter&) = delete;
  auto operator=(const LogWriter&) -> LogWriter& = delete;
  ~LogWriter();

  auto folder() const -> const std::filesystem::path&;
  /// Lines that stay together. Does not wait. Any thread.
  void Push(std::vector<LogRecord> records);
  void PushOne(LogRecord record);
  /// Ends the log. What is not written by the deadline (a disk that does not answer) counts as dropped.
  auto Close(base::Deadline deadline) -> LogAccount;

 private:
  class Writing;
  std::shared_ptr<Writing> writing_;  // shared with the thread, which may outlive this when the disk hangs
};

}  // namespace penstock::observe
