#include "observe/log_loss.h"

#include "base/count.h"

namespace penstock::observe {

void LogLoss::Add(const LogRecord& record) { missing_[{record.node, record.stream}] += LinesOf(record); }

auto LogLoss::Tell(std::string_view why) -> std::vector<LogRecord> {
  std::vector<LogRecord> records;
  for (const auto& [source, lines] : std::exchange(missing_, {})) {
    records.push_back({.time_ns = Now(),
                       .node = source.first,
                       .stream = source.second,
                       .level = base::LogLevel::kWarning,
                       .event = "dropped",
                       .text = fmt::format("{} dropped: {}", base::Count(lines, "line"), why),
                       .dropped = lines});
  }
  return records;
}

}  // namespace penstock::observe
