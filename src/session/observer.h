// Who follows a session while it runs: a terminal, a log, a test. Called on the session's thread unless said otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "observe/log_record.h"
#include "session/report.h"

namespace penstock::session {

using observe::Stream;

struct Restarting {
  const Failure& failure;
  std::uint32_t restart = 1;  // of this node, from 1
  std::chrono::nanoseconds after{0};
};

class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  auto operator=(const Observer&) -> Observer& = delete;
  virtual ~Observer() = default;

  /// A step of the start: "building environment" with its live lines, "starting containers", … Any thread.
  virtual void OnProgress(std::string_view phase, std::string_view text) = 0;
  virtual void OnStarted(std::string_view session_id) = 0;
  virtual void OnLog(const observe::LogRecord& record) = 0;
  /// Whether more of what `node` prints can be taken now. If not, its standard output is left in its pipe until
  /// `resume` is called, once, on any thread.
  virtual auto HasRoom([[maybe_unused]] std::string_view node, [[maybe_unused]] const std::function<void()>& resume)
      -> bool {
    return true;
  }
  /// A node failed and is started again; the session goes on.
  virtual void OnRestart(const Restarting& restarting) = 0;
  /// A node failed for good, and the session goes on without it.
  virtual void OnLeftOut(const Failure& failure) = 0;
  /// At once when the first failure is known; the session ends everything after it.
  virtual void OnFailure(const Failure& failure) = 0;
  /// What became known after OnFailure about the same failure, as a sentence. Any thread.
  virtual void OnFailureDetail(std::string_view sentence) = 0;
  /// The session is ended at once, by whoever will not wait: for what is not shown yet neither.
  virtual void OnKilled() {}
};

}  // namespace penstock::session
