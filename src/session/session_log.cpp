#include "session/session_log.h"

namespace penstock::session {
namespace {

using base::LogLevel;

// A disk that does not answer must not keep a session from ending.
constexpr std::chrono::seconds kWritten{10};

auto WithTraceback(const Failure& failure) -> std::string {
  auto text = failure.sentence;
  if (!failure.traceback.empty()) text += '\n' + failure.traceback;
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

auto HowItEnded(const Report& report) -> std::string_view {
  if (report.failure) return "failed";
  return report.interrupted ? "was interrupted" : "is done";
}

}  // namespace

SessionLog::SessionLog(const std::string& session, std::string_view pipeline, const observe::LogLimits& limits,
                       Observer& next)
    : writer_(session, limits), next_(next) {
  Add("created", LogLevel::kInfo, fmt::format("session of pipeline '{}'", pipeline));
}

void SessionLog::Add(std::string_view event, LogLevel level, std::string text, std::string node) {
  writer_.PushOne({.time_ns = observe::Now(),
                   .node = std::move(node),
                   .stream = Stream::kRuntime,
                   .level = level,
                   .event = std::string(event),
                   .text = std::move(text)});
}

void SessionLog::OnProgress(std::string_view phase, std::string_view text) {
  Add("progress", LogLevel::kInfo, text.empty() ? std::string(phase) : fmt::format("{}: {}", phase, text));
  next_.OnProgress(phase, text);
}

void SessionLog::OnStarted(std::string_view session_id) {
  Add("started", LogLevel::kInfo, "every node is ready: the streams start");
  next_.OnStarted(session_id);
}

void SessionLog::OnLog(const observe::LogRecord& record) { OnLines({record}); }

void SessionLog::OnLines(std::vector<observe::LogRecord> lines) {
  for (const auto& line : lines) next_.OnLog(line);
  writer_.Push(std::move(lines));
}

void SessionLog::OnRestart(const Restarting& restarting) {
  Add("restart", LogLevel::kWarning, WithTraceback(restarting.failure), restarting.failure.node);
  next_.OnRestart(restarting);
}

void SessionLog::OnLeftOut(const Failure& failure) {
  Add("left out", LogLevel::kWarning, WithTraceback(failure), failure.node);
  next_.OnLeftOut(failure);
}

void SessionLog::OnFailure(const Failure& failure) {
  Add("failed", LogLevel::kError, WithTraceback(failure), failure.node);
  next_.OnFailure(failure);
}

void SessionLog::OnFailureDetail(std::string_view sentence) {
  Add("failed", LogLevel::kError, std::string(sentence));
  next_.OnFailureDetail(sentence);
}

void SessionLog::OnKilled() { next_.OnKilled(); }

auto SessionLog::HasRoom(std::string_view node, const std::function<void()>& resume) -> bool {
  return next_.HasRoom(node, resume);
}

void SessionLog::Note(LogLevel level, std::string_view text) { Add("note", level, std::string(text)); }

auto SessionLog::Close(const Report& report) -> observe::LogAccount {
  Add("ended", report.failure ? LogLevel::kError : LogLevel::kInfo,
      fmt::format("the session {} after {:.2f} s", HowItEnded(report), report.timeline.ended));
  return writer_.Close(base::Deadline::In(kWritten));
}

}  // namespace penstock::session
