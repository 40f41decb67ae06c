#include <fmt/format.h>

#include <mutex>
#include <stop_token>
#include <thread>

#include "cli/engine.h"
#include "cli/environments.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "session/environment.h"

namespace penstock::cli {

auto Build(const PipelineOptions& options) -> int {
  BlockInterrupts();
  const auto plan = LoadPlan(options);
  if (!plan) return kUsage;
  const auto environments = EnvironmentOptionsOf(*plan, options.retry);
  if (!environments) {
    Complain(environments.error());
    return kUsage;
  }
  std::unique_ptr<docker::Engine> engine;
  if (NeedsEngine(*plan)) {
    auto connected = ConnectEngine();
    if (!connected) return Complain(connected.error());
    engine = std::move(*connected);
  }
  Terminal terminal({});
  std::mutex mutex;
  std::stop_source stop;
  const InterruptWatch watch([&] { stop.request_stop(); }, [] {});
  int result = kDone;
  std::vector<std::jthread> building;
  for (const auto& node : plan->nodes) {
    if (!node.environment) continue;
    building.emplace_back([&, &node = node] {
      const auto progress = [&](const image::Progress& step) {
        terminal.OnProgress(fmt::format("environment of {}: {}", node.id, step.step), step.line);
      };
      const auto environment = session::EnsureEnvironmentOf(
          node, engine.get(), progress, docker::Call(base::Deadline::Never(), stop.get_token()), *environments);
      const std::lock_guard lock(mutex);
      if (!environment && stop.stop_requested()) return;  // that it was stopped nobody needs to be told
      if (!environment) {
        result = Complain(environment.error());
      } else {
        terminal.OnProgress(node.id,
                            fmt::format("{} ({})", environment->cached ? "there already" : "built",
                                        environment->image.empty() ? environment->interpreter : environment->image));
      }
    });
  }
  building.clear();
  return stop.stop_requested() ? kInterrupted : result;
}

}  // namespace penstock::cli
