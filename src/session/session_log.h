// Writes down what a session's follower is told, and what nodes say: the observer between a session and its own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "observe/log_writer.h"
#include "session/observer.h"

namespace penstock::session {

/// Any thread where Observer says so; Note too.
class SessionLog final : public Observer {
 public:
  SessionLog(const std::string& session, std::string_view pipeline, const observe::LogLimits& limits, Observer& next);

  void OnProgress(std::string_view phase, std::string_view text) override;
  void OnStarted(std::string_view session_id) override;
  void OnLog(const observe::LogRecord& record) override;
  void OnRestart(const Restarting& restarting) override;
  void OnLeftOut(const Failure& failure) override;
  void OnFailure(const Failure& failure) override;
  void OnFailureDetail(std::string_view sentence) override;
  void OnKilled() override;
  auto HasRoom(std::string_view node, const std::function<void()>& resume) -> bool override;

  /// Lines of one node that stay together.
  void OnLines(std::vector<observe::LogRecord> lines);
  void Note(base::LogLevel level, std::string_view text);
  /// Writes how the session ended, and ends the log.
  auto Close(const Report& report) -> observe::LogAccount;

 private:
  void Add(std::string_view event, base::LogLevel level, std::string text, std::string node = {});

  observe::LogWriter writer_;
  Observer& next_;
};

}  // namespace penstock::session
