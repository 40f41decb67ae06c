#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <set>

#include "cli/harmless.h"
#include "cli/verbs.h"
#include "observe/log_filter.h"
#include "observe/log_reader.h"
#include "observe/log_record.h"
#include "observe/log_time.h"
#include "observe/session_folder.h"

namespace penstock::cli {
namespace {

constexpr std::chrono::hours kMostAge{52 * 7 * 24};

auto SinceOf(const std::string& text) -> base::Expected<std::int64_t> {
  if (const auto age = observe::ParseAge(text)) {
    if (*age <= kMostAge) return observe::Now() - std::chrono::nanoseconds(std::llround(age->count() * 1e9)).count();
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "--since takes at most 52w, and '{}' is more; without it all lines that are kept are shown",
                      text);
  }
  if (const auto time = observe::ParseTime(text, observe::Now())) return *time;
  return base::Fail(
      base::ErrorCode::kInvalidArgument,
      "'{}' is neither a duration (90s, 10m, 2h, 7d, 2w) nor a time (08:15, 2026-01-31T08:15:30, with Z for UTC)",
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
    NoteNode(*record);
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
      if (written < 0) {
        problem_ = errno;
        return false;
      }
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    buffer_.clear();
    return true;
  }

  auto ended() const -> bool { return ended_; }
  /// Why not all was written, other than that nobody reads it.
  auto status() const -> base::Status {
    if (problem_ == 0 || problem_ == EPIPE) return {};
    return base::SystemError("write to stdout", problem_);
  }
  /// Those that the log has something of, or that became ready.
  auto nodes() const -> const std::set<std::string, std::less<>>& { return nodes_; }

 private:
  static constexpr std::size_t kBuffer = 65536;

  void NoteNode(const observe::LogRecord& record) {
    constexpr std::string_view kReady = "node is ready: ";
    if (!record.node.empty()) nodes_.insert(record.node);
    if (record.event == "progress" && record.text.starts_with(kReady)) nodes_.insert(record.text.substr(kReady.size()));
  }

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
  std::set<std::string, std::less<>> nodes_;
  int problem_ = 0;
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
  PENSTOCK_TRY(printer.status());
  if (read && !printer.ended() && !observe::IsLive(folder))
    fmt::print(stderr, "penstock: the runtime of session {} ended before it could say how the session ended\n",
               session);
  for (const auto& node : read ? options.nodes : std::vector<std::string>()) {
    if (printer.nodes().contains(node)) continue;
    return base::Fail(base::ErrorCode::kNotFound, "no node '{}' in the log of session {}; there are {}", node, session,
                      printer.nodes().empty() ? "none so far" : fmt::format("{}", fmt::join(printer.nodes(), ", ")));
  }
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
