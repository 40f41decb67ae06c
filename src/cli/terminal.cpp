#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace penstock::cli {
namespace {

constexpr const char* kRed = "31";
constexpr const char* kYellow = "33";
constexpr const char* kDim = "2";

auto Width() -> std::size_t {
  constexpr std::size_t kUsual = 80;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

// A terminal that is gone or full must not end the session, so that errors of writing are left to the stream.
template <class... Args>
void Print(std::FILE* stream, fmt::format_string<Args...> format, Args&&... args) {
  const auto text = fmt::format(format, std::forward<Args>(args)...);
  std::fwrite(text.data(), 1, text.size(), stream);
}

// Bytes of text that fit, not cut inside a UTF-8 sequence.
auto Fit(std::string_view text, std::size_t width) -> std::string_view {
  if (text.size() <= width) return text;
  while (width > 0 && (static_cast<unsigned char>(text[width]) & 0xc0U) == 0x80U) --width;
  return text.substr(0, width);
}

}  // namespace

Terminal::Terminal(Options options)
    : options_(std::move(options)),
      interactive_(::isatty(STDERR_FILENO) == 1),
      colour_(interactive_ && std::getenv("NO_COLOR") == nullptr) {}  // NOLINT(concurrency-mt-unsafe)

Terminal::~Terminal() { ClearProgress(); }

auto Terminal::Colour(const char* code, std::string_view text) const -> std::string {
  return colour_ ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
}

void Terminal::ClearProgress() {
  if (!progress_shown_) return;
  Print(stderr, "\r\033[K");
  progress_shown_ = false;
}

void Terminal::OnProgress(std::string_view phase, std::string_view text) {
  if (options_.quiet) return;
  const std::lock_guard lock(mutex_);
  auto step = text.empty() ? std::string(phase) : fmt::format("{}: {}", phase, text);
  if (step == last_step_) return;
  if (interactive_) {
    Print(stderr, "\r\033[K{}", Colour(kDim, Fit(step, Width() - 1)));
    std::fflush(stderr);
    progress_shown_ = true;
  } else {
    Print(stderr, "{}\n", step);
  }
  last_step_ = std::move(step);
}

void Terminal::OnStarted(std::string_view session_id) {
  const std::lock_guard lock(mutex_);
  ClearProgress();
  if (!options_.quiet) Print(stderr, "{}\n", Colour(kDim, fmt::format("session {} runs", session_id)));
}

void Terminal::OnLog(const session::LogLine& line) {
  const std::lock_guard lock(mutex_);
  ClearProgress();
  if (line.stream == session::Stream::kStdout && options_.sinks.contains(line.node)) {
    Print(stdout, "{}\n", line.text);
    std::fflush(stdout);
    return;
  }
  const auto text = line.level >= base::LogLevel::kError     ? Colour(kRed, line.text)
                    : line.level >= base::LogLevel::kWarning ? Colour(kYellow, line.text)
                                                             : std::string(line.text);
  Print(stderr, "[{}] {}\n", line.node, text);
}

void Terminal::OnFailure(const session::Failure& failure) {
  const std::lock_guard lock(mutex_);
  ClearProgress();
  Print(stderr, "{} {}\n", Colour(kRed, "penstock: error:"), failure.sentence);
  if (!failure.traceback.empty())
    Print(stderr, "{}{}", failure.traceback, failure.traceback.ends_with('\n') ? "" : "\n");
  std::fflush(stderr);
}

void Terminal::OnFailureDetail(std::string_view sentence) {
  const std::lock_guard lock(mutex_);
  Print(stderr, "penstock: {}\n", sentence);
}

void Terminal::Note(std::string_view text) {
  if (options_.quiet) return;
  const std::lock_guard lock(mutex_);
  ClearProgress();
  Print(stderr, "{}\n", Colour(kDim, text));
}

void Terminal::Warn(std::string_view text) {
  const std::lock_guard lock(mutex_);
  ClearProgress();
  Print(stderr, "{} {}\n", Colour(kYellow, "penstock: warning:"), text);
}

auto SinksOf(const plan::Plan& plan) -> std::set<std::string, std::less<>> {
  std::set<std::string, std::less<>> sinks;
  for (const auto& node : plan.nodes) {
    if (node.node_type == "text.sink" || node.node_type == "json.sink") sinks.insert(node.id);
  }
  return sinks;
}

}  // namespace penstock::cli
