#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "cli/harmless.h"
#include "cli/verbs.h"
#include "manifest/scalar.h"
#include "observe/log_filter.h"
#include "observe/log_reader.h"
#include "observe/log_record.h"
#include "observe/log_time.h"
#include "observe/session_folder.h"

namespace penstock::cli {
namespace {

auto SinceOf(const std::string& text) -> base::Expected<std::int64_t> {
  if (const auto duration = manifest::ParseDuration(text)) return observe::Now() - duration->count();
  if (const auto time = observe::ParseTime(text, observe::Now())) return *time;
  return base::Fail(base::ErrorCode::kInvalidArgument,
                    "'{}' is neither a duration (90s, 10m, 2h) nor a time (08:15, 2026-01-31T08:15:30, with Z for UTC)",
                    text);
}

auto FilterOf(const LogsOptions& options) -> base::Expected<observe::LogFilter> {
  observe::LogFilter filter;
  filter.nodes.insert(options.nodes.begin(), options.nodes.end());
  PENSTOCK_ASSIGN(filter.level, observe::ParseLevel(options.level));
  if (!options.since.empty()) {
    PENSTOCK_ASSIGN(filter.since_ns, SinceOf(options.since));
  }
  if (!options.grep.empty()) {
    PENSTOCK_ASSIGN(filter.pattern, observe::Pattern::Compile(options.grep));
  }
  return filter;
}

class Printer final {
 public:
  Printer(bool json, observe::LogFilter filter)
      : json_(json),
        is_terminal_(::isatty(STDOUT_FILENO) == 1),
        colour_(is_terminal_ && std::getenv("NO_COLOR") == nullptr),  // NOLINT(concurrency-mt-unsafe)
        filter_(std::move(filter)) {}

  // False when nobody reads any more.
  auto Show(std::string_view line) -> bool {
    const auto record = observe::ParseRecord(line);
    if (!record) return true;  // cut off by a crash of the machine
    if (record->event == "ended") ended_ = true;
    if (!filter_.Matches(*record)) return true;
    if (json_) {
      buffer_ += is_terminal_ ? Harmless(line) : std::string(line);
      buffer_ += '\n';
    } else {
      Render(*record);
    }
    return buffer_.size() < kBuffer || Flush();
  }

  auto Flush() -> bool {
    for (std::string_view rest = buffer_; !rest.empty();) {
      const auto written = ::write(STDOUT_FILENO, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    buffer_.clear();
    return true;
  }

  auto ended() const -> bool { return ended_; }

 private:
  static constexpr std::size_t kBuffer = 65536;

  // Each line of a message carries its node, so that grep and eyes find it.
  void Render(const observe::LogRecord& record) {
    const auto who = record.node.empty() ? std::string("penstock:") : fmt::format("[{}]", record.node);
    const char* colour = !colour_                                   ? ""
                         : record.level >= base::LogLevel::kError   ? "\033[31m"
                         : record.level >= base::LogLevel::kWarning ? "\033[33m"
                                                                    : "";
    const auto time = observe::LocalClock(record.time_ns);
    const auto shown = is_terminal_ ? Harmless(record.text) : record.text;
    for (std::string_view rest = shown;;) {
      const auto line = rest.substr(0, rest.find('\n'));
      fmt::format_to(std::back_inserter(buffer_), "{} {}{} ", time, colour, who);
      buffer_ += line;
      buffer_ += *colour == '\0' ? "\n" : "\033[0m\n";
      if (line.size() == rest.size()) return;
      rest.remove_prefix(line.size() + 1);
    }
  }

  const bool json_;
  const bool is_terminal_;
  const bool colour_;
  observe::LogFilter filter_;
  std::string buffer_;
  bool ended_ = false;
};

auto Show(const LogsOptions& options) -> base::Status {
  PENSTOCK_ASSIGN(auto filter, FilterOf(options));
  PENSTOCK_ASSIGN(const auto sessions, observe::SessionsDirectory());
  PENSTOCK_ASSIGN(const auto session, observe::FindSession(sessions, options.session));
  const auto folder = sessions / session;
  Printer printer(options.json, std::move(filter));
  if (options.follow) {
    PENSTOCK_TRY(observe::FollowLog(folder, STDOUT_FILENO,
                                    [&](std::string_view line) { return printer.Show(line) && printer.Flush(); }));
  } else {
    observe::LogReader reader(folder);
    PENSTOCK_ASSIGN([[maybe_unused]] const bool more,
                    reader.ReadNew([&](std::string_view line) { return printer.Show(line); }));
  }
  const bool read = printer.Flush();
  if (read && !printer.ended() && !observe::IsLive(folder))
    fmt::print(stderr, "penstock: the runtime of session {} ended before it could say how the session ended\n",
               session);
  return {};
}

}  // namespace

auto Logs(const LogsOptions& options) -> int {
  const auto shown = Show(options);
  if (shown) return kDone;
  fmt::print(stderr, "penstock: error: {}\n", shown.error().ToString());
  return shown.error().code() == base::ErrorCode::kInvalidArgument ||
                 shown.error().code() == base::ErrorCode::kNotFound ||
                 shown.error().code() == base::ErrorCode::kConflict
             ? kUsage
             : kEnvironment;
}

}  // namespace penstock::cli
