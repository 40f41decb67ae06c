// Accounts of lines that could not be kept: exact, by node and stream, and told at the place where they are missing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "observe/log_record.h"

namespace penstock::observe {

using LogSource = std::pair<std::string, Stream>;  // node and stream
using LogCounts = std::map<LogSource, std::uint64_t>;

/// Lines that a record stands for.
inline auto LinesOf(const LogRecord& record) -> std::uint64_t { return record.dropped > 0 ? record.dropped : 1; }

/// What is missing since the last word about it. Not thread-safe.
class LogLoss final {
 public:
  void Add(const LogRecord& record);
  auto empty() const -> bool { return missing_.empty(); }
  /// A record a source that says how many lines are missing and `why`; and forgets them.
  auto Tell(std::string_view why) -> std::vector<LogRecord>;

 private:
  LogCounts missing_;
};

}  // namespace penstock::observe
