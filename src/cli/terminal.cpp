#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/count.h"
#include "cli/colour.h"
#include "cli/harmless.h"
#include "cli/words.h"

namespace penstock::cli {
namespace {

auto Width() -> std::size_t {
  constexpr std::size_t kUsual = 80;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

// Bytes of text that fit, not cut inside a UTF-8 sequence.
auto Fit(std::string_view text, std::size_t width) -> std::string_view {
  if (text.size() <= width) return text;
  while (width > 0 && (static_cast<unsigned char>(text[width]) & 0xc0U) == 0x80U) --width;
  return text.substr(0, width);
}

auto ColourOf(base::LogLevel level) -> std::optional<Colour> {
  if (level >= base::LogLevel::kError) return Colour::kRed;
  if (level >= base::LogLevel::kWarning) return Colour::kYellow;
  return std::nullopt;
}

}  // namespace

Terminal::Terminal(Options options)
    : options_(std::move(options)),
      interactive_(::isatty(STDERR_FILENO) == 1),
      sinks_shown_(::isatty(STDOUT_FILENO) == 1),
      coloured_(HasColours(STDERR_FILENO)),
      err_(STDERR_FILENO, "penstock-err"),
      out_(STDOUT_FILENO, "penstock-out", [this](int problem) { OnBrokenOutput(problem); }) {}

Terminal::~Terminal() {
  const std::lock_guard lock(mutex_);
  Say({});
}

auto Terminal::InColour(Colour colour, std::string_view text) const -> std::string {
  return Paint(coloured_, colour, text);
}

auto Terminal::Shown(std::string_view text) const -> std::string {
  return interactive_ ? Harmless(text) : std::string(text);
}

auto Terminal::ClearProgress() -> std::string { return std::exchange(progress_shown_, false) ? "\r\033[K" : ""; }

void Terminal::OnProgress(std::string_view phase, std::string_view text) {
  if (options_.quiet) return;
  const std::lock_guard lock(mutex_);
  auto step = text.empty() ? std::string(phase) : fmt::format("{}: {}", phase, text);
  if (step == last_step_) return;
  if (interactive_) {
    progress_shown_ =
        err_.TryWrite(fmt::format("\r\033[K{}", InColour(Colour::kDim, Harmless(Fit(step, Width() - 1))))) ||
        progress_shown_;
  } else {
    err_.TryWrite(step + '\n');
  }
  last_step_ = std::move(step);
}

void Terminal::OnStarted(std::string_view session_id) {
  const std::lock_guard lock(mutex_);
  Say(options_.quiet ? "" : InColour(Colour::kDim, fmt::format("session {} runs", session_id)) + '\n');
}

void Terminal::OnLog(const observe::LogRecord& record) {
  const std::lock_guard lock(mutex_);
  if (record.stream == session::Stream::kStdout && options_.sinks.contains(record.node)) {
    if (progress_shown_) Say({});
    out_.Write(sinks_shown_ ? Harmless(record.text) : record.text);
    if (!record.continued) out_.Write("\n");
    return;
  }
  auto colour = ColourOf(record.level);
  // A node's stderr counts as a warning in the log, but it may be anything.
  if (record.stream == session::Stream::kStderr) colour.reset();
  auto text = ClearProgress();
  const auto shown = Shown(record.text);
  for (std::string_view rest = shown;;) {
    const auto line = rest.substr(0, rest.find('\n'));
    text += fmt::format("[{}] {}\n", record.node, colour ? InColour(*colour, line) : std::string(line));
    if (line.size() == rest.size()) break;
    rest.remove_prefix(line.size() + 1);
  }
  if (err_.TryWrite(NotShown() + text)) {
    not_told_ = 0;
  } else {
    ++not_shown_;
    ++not_told_;
  }
}

// Comes before the next line that there is room for, so that the gap is seen where it is.
auto Terminal::NotShown() const -> std::string {
  if (not_told_ == 0) return {};
  return fmt::format("penstock: {} not shown here, as {} not read fast enough\n",
                     base::Count(not_told_, "line is", "lines are"), not_told_ == 1 ? "it was" : "they were");
}

// What is said whether or not there is room: it is little.
void Terminal::Say(std::string_view text) {
  err_.Write(ClearProgress() + NotShown() + Shown(text));
  not_told_ = 0;
}

auto Terminal::HasRoom(std::string_view node, const std::function<void()>& resume) -> bool {
  return !options_.sinks.contains(node) || out_.HasRoom(resume);
}

void Terminal::OnRestart(const session::Restarting& restarting) {
  const auto when = restarting.after.count() == 0
                        ? "at once"
                        : fmt::format("in {:.1f} s", std::chrono::duration<double>(restarting.after).count());
  WarnOf(restarting.failure, fmt::format("is restarted {} (restart {})", when, restarting.restart));
}

void Terminal::OnLeftOut(const session::Failure& failure) {
  WarnOf(failure, "is left out: the session goes on without it");
}

void Terminal::WarnOf(const session::Failure& failure, std::string_view consequence) {
  const auto& traceback = failure.traceback;
  const bool traceback_ends = traceback.empty() || traceback.ends_with('\n');
  Tell(fmt::format("{} {}\n", InColour(Colour::kYellow, "penstock: warning:"), ShortenIds(failure.sentence)),
       traceback + (traceback_ends ? "" : "\n") + fmt::format("penstock: node '{}' {}\n", failure.node, consequence));
}

void Terminal::OnFailure(const session::Failure& failure) {
  Tell(fmt::format("{} {}\n", InColour(Colour::kRed, "penstock: error:"), ShortenIds(failure.sentence)),
       failure.traceback);
}

void Terminal::Tell(std::string text, std::string_view details) {
  const std::lock_guard lock(mutex_);
  text += details;
  if (!text.ends_with('\n')) text += '\n';
  Say(text);
}

void Terminal::RepeatFailure(const session::Failure& failure) {
  std::string detail;
  {
    const std::lock_guard lock(mutex_);
    if (!failure_detail_.empty()) detail = "; " + failure_detail_;
  }
  Print(fmt::format("\n{} {}{}\n", InColour(Colour::kRed, "penstock: failed:"), ShortenIds(failure.sentence), detail));
}

void Terminal::OnFailureDetail(std::string_view sentence) {
  const auto shown = ShortenIds(sentence);
  {
    const std::lock_guard lock(mutex_);
    failure_detail_ = shown;
  }
  Print(fmt::format("penstock: {}\n", shown));
}

void Terminal::Note(std::string_view text) {
  if (!options_.quiet) Print(InColour(Colour::kDim, text) + '\n');
}

void Terminal::Warn(std::string_view text) {
  Print(fmt::format("{} {}\n", InColour(Colour::kYellow, "penstock: warning:"), ShortenIds(text)));
}

void Terminal::Print(std::string_view text) {
  const std::lock_guard lock(mutex_);
  Say(text);
}

// As in a pipeline of the shell: who has read enough ends it.
void Terminal::OnBrokenOutput(int problem) {
  if (problem == EPIPE) {
    Note("nobody reads the output any more: the streams are ended");
  } else {
    const auto failed = base::SystemError("write the pipeline's output to stdout", problem);
    Print(fmt::format("{} {}; the streams are ended\n", InColour(Colour::kRed, "penstock: error:"),
                      failed.value().message()));
  }
  if (options_.on_broken_output) options_.on_broken_output(problem);
}

void Terminal::Flush() {
  out_.Flush();  // which may have something to say
  err_.Flush();
}

void Terminal::Abandon() {
  err_.Abandon();
  out_.Abandon();
}

auto Terminal::OutputStatus() -> base::Status {
  const int problem = out_.problem();
  if (problem == 0) return {};
  return base::SystemError("write the pipeline's output to stdout, so that some of it is lost", problem);
}

auto Terminal::not_shown() -> std::uint64_t {
  const std::lock_guard lock(mutex_);
  return not_shown_;
}

auto SinksOf(const plan::Plan& plan) -> std::set<std::string, std::less<>> {
  std::set<std::string, std::less<>> sinks;
  for (const auto& node : plan.nodes) {
    if (node.node_type == "text.sink" || node.node_type == "json.sink") sinks.insert(node.id);
  }
  return sinks;
}

}  // namespace penstock::cli
