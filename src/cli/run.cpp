#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/engine.h"
#include "cli/load.h"
#include "cli/summary.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "session/engine_account.h"
#include "session/session.h"

namespace penstock::cli {
namespace {

// Ctrl-C once ends the session in order, twice at once. The signals are blocked everywhere and awaited on one thread.
class InterruptWatch final {
 public:
  explicit InterruptWatch(session::Session& session)
      : thread_([&session](const std::stop_token& stop) {
          ::pthread_setname_np(::pthread_self(), "penstock-signal");
          const auto signals = Signals();
          for (int count = 0;;) {
            int signal = 0;
            if (::sigwait(&signals, &signal) != 0 || stop.stop_requested()) return;
            if (++count == 1) {
              session.Stop();
            } else {
              session.Kill();
            }
          }
        }) {}
  InterruptWatch(const InterruptWatch&) = delete;
  auto operator=(const InterruptWatch&) -> InterruptWatch& = delete;
  ~InterruptWatch() {
    thread_.request_stop();
    ::pthread_kill(thread_.native_handle(), SIGTERM);
  }

  static auto Signals() -> sigset_t {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGINT);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGHUP);
    return signals;
  }

 private:
  std::jthread thread_;
};

void PaceMediaSources(plan::Plan& plan) {
  for (auto& node : plan.nodes) {
    if (node.node_type != "media.source") continue;
    auto params = *node.params;
    params["realtime"] = true;
    node.params = std::make_shared<const nlohmann::json>(std::move(params));
  }
}

auto WriteReport(const std::string& path, const session::Report& report) -> bool {
  std::ofstream file(path);
  file << session::ToJson(report).dump(2) << '\n';
  file.close();
  if (!file.fail()) return true;
  fmt::print(stderr, "penstock: error: cannot write the report to '{}'\n", path);
  return false;
}

auto ExitCode(const session::Report& report) -> int {
  if (report.failure) return report.failure->environment ? kEnvironment : kPipelineFailed;
  return report.interrupted ? kInterrupted : kDone;
}

}  // namespace

auto Run(const RunOptions& options) -> int {
  const auto signals = InterruptWatch::Signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto plan = LoadPlan(options.pipeline);
  if (!plan) return kUsage;
  if (options.realtime) PaceMediaSources(*plan);
  Terminal terminal({.quiet = options.quiet, .sinks = SinksOf(*plan)});
  base::SetLogSink([&](base::LogLevel level, std::string_view text) {
    if (level >= base::LogLevel::kWarning) terminal.Warn(text);
  });
  for (const auto& warning : plan->warnings) terminal.Warn(warning);

  session::EngineAccount account;
  std::unique_ptr<docker::Engine> engine;
  if (NeedsEngine(*plan)) {
    auto connected = ConnectEngine([&](const docker::RequestTiming& timing) { account.Add(timing); });
    if (!connected) return Complain(connected.error());
    engine = std::move(*connected);
  }
  const auto runtime = container::RuntimeDirectory::Create();
  if (!runtime) return Complain(runtime.error());

  auto session = session::Session::Create({.plan = std::move(*plan),
                                           .engine = engine.get(),
                                           .runtime = &*runtime,
                                           .engine_account = &account,
                                           .measure_cpu = options.measure_cpu},
                                          terminal);
  if (!session) return Complain(session.error());
  const InterruptWatch watch(**session);
  const auto report = (*session)->Run();
  if (!options.quiet) fmt::print(stderr, "\n{}", RenderSummary(report));
  if (!options.report_file.empty() && !WriteReport(options.report_file, report)) return kEnvironment;
  return ExitCode(report);
}

}  // namespace penstock::cli
