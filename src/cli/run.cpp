#include "cli/run.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"
#include "cli/engine.h"
#include "cli/environments.h"
#include "cli/interrupt.h"
#include "cli/json_output.h"
#include "cli/load.h"
#include "cli/losses.h"
#include "cli/summary.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "session/engine_account.h"
#include "session/promises.h"
#include "session/session.h"

namespace penstock::cli {
namespace {

constexpr std::chrono::seconds kEventsTimeout{10};

void PaceMediaSources(plan::Plan& plan) {
  for (auto& node : plan.nodes) {
    if (node.node_type != "media.source") continue;
    auto params = *node.params;
    params["realtime"] = true;
    node.params = std::make_shared<const nlohmann::json>(std::move(params));
  }
}

// Before anything starts, since it would be a pity afterwards. Leaves no file that a killed run would not fill.
auto ReportCanBeWritten(const std::string& path) -> bool {
  base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file) {
    ::unlink(path.c_str());
    return true;
  }
  if (errno == EEXIST) file.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (file || errno == ENXIO) return true;  // a pipe that nobody reads yet
  Complain(base::SystemError(fmt::format("write the report to '{}'", path)).value());
  return false;
}

auto WriteReport(const std::string& path, const session::Report& report) -> bool {
  errno = 0;
  std::ofstream file(path);
  file << JsonText(session::ToJson(report)) << '\n';
  file.close();
  if (!file.fail()) return true;
  Complain(base::SystemError(fmt::format("write the report to '{}'", path), errno).value());
  return false;
}

auto ExitCode(const session::Report& report) -> int {
  if (report.failure) return report.failure->environment ? kEnvironment : kPipelineFailed;
  return report.interrupted ? kInterrupted : kDone;
}

// True when nothing was lost. A session that failed has said more than that.
auto NothingLost(const session::Report& report, Terminal& terminal) -> bool {
  const auto losses = Losses(report);
  if (losses.empty() || report.failure) return true;
  terminal.Print(fmt::format("penstock: error: messages were lost:\n  {}\n", fmt::join(losses, "\n  ")));
  return false;
}

auto AwaitAdmission() -> std::unique_ptr<base::FileLock> {
  auto lock = session::AdmissionLock();
  if (lock) return std::make_unique<base::FileLock>(std::move(*lock));
  // A runtime that was stopped in the middle must not keep all others from starting.
  base::Log(base::LogLevel::kWarning, "another runtime has been starting for long, what it will use is not counted: {}",
            lock.error().ToString());
  return nullptr;
}

}  // namespace

auto Run(const RunOptions& options) -> int {
  return RunPlan([&] { return LoadPlan(options.pipeline, Room::kBesideRunning); }, options);
}

auto RunPlan(const std::function<Planned()>& make_plan, const RunOptions& options) -> int {
  if (!options.report_file.empty() && !ReportCanBeWritten(options.report_file)) return kEnvironment;
  BlockInterrupts();

  auto admission = AwaitAdmission();
  auto plan = make_plan();
  if (!plan) return Show(plan.error());
  if (!NeedsEngine(*plan)) admission.reset();
  if (options.realtime) PaceMediaSources(*plan);
  std::atomic<session::Session*> running = nullptr;
  std::atomic<bool> unread = false;  // the pipeline's output
  std::atomic<bool> interrupted = false;
  Terminal terminal({.quiet = options.quiet, .sinks = SinksOf(*plan), .on_unread = [&] {
                       unread = true;
                       if (auto* now = running.load()) now->Stop();
                     }});
  base::SetLogSink([&](base::LogLevel level, std::string_view text) {
    if (level >= base::LogLevel::kWarning) terminal.Warn(text);
    if (auto* now = running.load()) now->Note(level, text);
  });
  for (const auto& warning : plan->warnings) terminal.Warn(warning);

  session::EngineAccount account;
  std::unique_ptr<docker::Engine> engine;
  std::unique_ptr<container::EventLedger> events;
  if (NeedsEngine(*plan)) {
    auto connected = ConnectEngine([&](const docker::RequestTiming& timing) { account.Add(timing); });
    if (!connected) return Complain(connected.error());
    engine = std::move(*connected);
    auto followed = container::EventLedger::Follow(*engine, base::Deadline::In(kEventsTimeout));
    if (!followed) return Complain(followed.error());
    events = std::move(*followed);
  }
  const auto environments = EnvironmentOptionsOf(*plan, options.pipeline.retry);
  if (!environments) {
    Complain(environments.error());
    return kUsage;
  }

  auto session = session::Session::Create({.plan = std::move(*plan),
                                           .engine = engine.get(),
                                           .events = events.get(),
                                           .engine_account = &account,
                                           .admission = std::move(admission),
                                           .measure_cpu = options.measure_cpu,
                                           .log = options.log,
                                           .quarantine_bytes = options.quarantine_bytes,
                                           .environments = *environments},
                                          terminal);
  if (!session) return Complain(session.error());
  running = session->get();
  const InterruptWatch watch(
      [&] {
        interrupted = true;
        terminal.Note("ending the streams; a second interrupt ends everything at once");
        (*session)->Stop();
      },
      [&] {
        (*session)->Kill();
        terminal.Abandon();  // also when the session has ended already, and only its output is waited for
      });
  auto report = (*session)->Run();
  running = nullptr;
  report.not_shown = terminal.not_shown();
  terminal.Flush();
  const auto output = terminal.OutputStatus();
  if (!output) terminal.Print(fmt::format("penstock: error: {}\n", output.error().ToString()));
  if (!options.quiet) terminal.Print('\n' + RenderSummary(report));
  if (report.failure || report.log.dropped_lines() > 0) terminal.Print(RenderLog(report));
  // Last, as it is what one looks for, and tables and a traceback may be long.
  if (report.failure && !options.quiet) terminal.RepeatFailure(*report.failure);
  if (!options.report_file.empty() && !WriteReport(options.report_file, report)) return kEnvironment;
  if (!output && !report.failure) return kEnvironment;
  if (options.strict_loss && !NothingLost(report, terminal)) return kLost;
  if (unread && !interrupted && !report.failure) return kDone;  // it was read as far as anybody wanted
  return ExitCode(report);
}

}  // namespace penstock::cli
