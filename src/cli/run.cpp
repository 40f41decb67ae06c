#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/engine.h"
#include "cli/environments.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/summary.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "session/engine_account.h"
#include "session/session.h"

namespace penstock::cli {
namespace {

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
  file << session::ToJson(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
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
  BlockInterrupts();

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
  const auto environments = EnvironmentOptionsOf(*plan, options.pipeline.retry);
  if (!environments) {
    Complain(environments.error());
    return kUsage;
  }
  const auto runtime = container::RuntimeDirectory::Create();
  if (!runtime) return Complain(runtime.error());

  auto session = session::Session::Create({.plan = std::move(*plan),
                                           .engine = engine.get(),
                                           .runtime = &*runtime,
                                           .engine_account = &account,
                                           .measure_cpu = options.measure_cpu,
                                           .environments = *environments},
                                          terminal);
  if (!session) return Complain(session.error());
  const InterruptWatch watch(
      [&] {
        terminal.Note("ending the streams; a second interrupt ends everything at once");
        (*session)->Stop();
      },
      [&] { (*session)->Kill(); });
  const auto report = (*session)->Run();
  if (!options.quiet) fmt::print(stderr, "\n{}", RenderSummary(report));
  if (!options.report_file.empty() && !WriteReport(options.report_file, report)) return kEnvironment;
  return ExitCode(report);
}

}  // namespace penstock::cli
