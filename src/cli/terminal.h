// Follows a session on the terminal: progress and logs on stderr, what sinks print on stdout.
#pragma once

#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "plan/plan.h"
#include "session/observer.h"

namespace penstock::cli {

/// On a terminal progress is one line that changes in place; in a pipe each step is a line of its own.
class Terminal final : public session::Observer {
 public:
  struct Options {
    bool quiet = false;
    /// Nodes whose standard output is the pipeline's own output: it goes to stdout as it is.
    std::set<std::string, std::less<>> sinks;
  };
  explicit Terminal(Options options);
  ~Terminal() override;

  void OnProgress(std::string_view phase, std::string_view text) override;
  void OnStarted(std::string_view session_id) override;
  void OnLog(const session::LogLine& line) override;
  void OnFailure(const session::Failure& failure) override;
  void OnFailureDetail(std::string_view sentence) override;

  /// A line of the runtime's own; not when quiet. Any thread, as Warn.
  void Note(std::string_view text);
  /// A warning of the runtime's own.
  void Warn(std::string_view text);

 private:
  void ClearProgress();
  auto Colour(const char* code, std::string_view text) const -> std::string;

  Options options_;
  bool interactive_;
  bool colour_;
  bool progress_shown_ = false;
  std::string last_step_;
  std::mutex mutex_;
};

/// Ids of the native nodes that print the pipeline's output.
auto SinksOf(const plan::Plan& plan) -> std::set<std::string, std::less<>>;

}  // namespace penstock::cli
