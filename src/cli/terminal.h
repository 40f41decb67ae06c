// Follows a session on the terminal: progress and logs on stderr, what sinks print on stdout.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "cli/colour.h"
#include "cli/output_writer.h"
#include "plan/plan.h"
#include "session/observer.h"

namespace penstock::cli {

/// On a terminal progress is one line that changes in place, and what nodes print is harmless (harmless.h); in a pipe
/// each step is a line of its own, and bytes are as they came. Nothing waits
/// for whoever reads: log lines that stderr has no room for are left out and counted, and what the pipeline itself
/// prints is never left out, so that a slow reader of stdout slows the sink down.
class Terminal final : public session::Observer {
 public:
  struct Options {
    bool quiet = false;
    /// Nodes whose standard output is the pipeline's own output: it goes to stdout as it is.
    std::set<std::string, std::less<>> sinks;
    /// There was some of that output that could not be written (errno; EPIPE: nobody reads it any more), which has been
    /// told. Called once, on a thread of the terminal's, before Flush returns.
    std::function<void(int)> on_broken_output{};
  };
  explicit Terminal(Options options);
  ~Terminal() override;

  void OnProgress(std::string_view phase, std::string_view text) override;
  void OnStarted(std::string_view session_id) override;
  void OnLog(const observe::LogRecord& record) override;
  auto HasRoom(std::string_view node, const std::function<void()>& resume) -> bool override;
  void OnRestart(const session::Restarting& restarting) override;
  void OnLeftOut(const session::Failure& failure) override;
  void OnFailure(const session::Failure& failure) override;
  void OnFailureDetail(std::string_view sentence) override;
  void OnKilled() override { Abandon(); }

  /// A line of the runtime's own; not when quiet. Any thread, as Warn.
  void Note(std::string_view text);
  /// A warning of the runtime's own.
  void Warn(std::string_view text);
  /// Text as it is.
  void Print(std::string_view text);
  /// The sentence again, for the end of the run.
  void RepeatFailure(const session::Failure& failure);
  /// Waits until everything is written.
  void Flush();
  /// The person will not wait: what cannot be written at once is not written at all. Any thread.
  void Abandon();
  /// Log lines that were left out so far.
  auto not_shown() -> std::uint64_t;
  /// After a flush. Errors: the pipeline's output could not be written, for another reason than that nobody reads it.
  auto OutputStatus() -> base::Status;

 private:
  auto ClearProgress() -> std::string;
  auto NotShown() const -> std::string;
  void Say(std::string_view text);
  void OnBrokenOutput(int problem);
  void Tell(std::string text, std::string_view details);
  /// A failure that the session survives, and what becomes of the node.
  void WarnOf(const session::Failure& failure, std::string_view consequence);
  auto Shown(std::string_view text) const -> std::string;
  auto InColour(Colour colour, std::string_view text) const -> std::string;

  Options options_;
  bool interactive_;
  bool sinks_shown_;  // stdout is a terminal
  bool coloured_;
  bool progress_shown_ = false;
  std::string last_step_;
  std::string failure_detail_;
  std::uint64_t not_shown_ = 0;
  std::uint64_t not_told_ = 0;  // of those, since that was last said
  std::mutex mutex_;
  OutputWriter err_;
  OutputWriter out_;  // goes first, as it may have something to say about itself
};

/// Ids of the native nodes that print the pipeline's output.
auto SinksOf(const plan::Plan& plan) -> std::set<std::string, std::less<>>;

}  // namespace penstock::cli
