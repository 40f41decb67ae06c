#include <fmt/format.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>

#include "cli/engine.h"
#include "cli/environments.h"
#include "cli/interrupt.h"
#include "cli/json_output.h"
#include "cli/load.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "session/environment.h"

namespace penstock::cli {

namespace {

using nlohmann::json;

auto ToJson(const std::string& node, const session::NodeEnvironment& environment) -> json {
  const auto or_null = [](const std::string& text) { return text.empty() ? json(nullptr) : json(text); };
  return {{"node", node},
          {"cached", environment.cached},
          {"image", or_null(environment.image)},
          {"interpreter", or_null(environment.image.empty() ? environment.interpreter : "")}};
}

// As in the manifest.
auto InOrder(const plan::Plan& plan, std::map<std::string, json> made) -> json {
  auto list = json::array();
  for (const auto& node : plan.nodes) {
    if (auto found = made.find(node.id); found != made.end()) list.push_back(std::move(found->second));
  }
  return list;
}

}  // namespace

auto Build(const BuildOptions& options) -> int {
  BlockInterrupts();
  const auto plan = LoadPlan(options.pipeline);
  if (!plan) return Show(plan.error());
  const auto environments = EnvironmentOptionsOf(*plan, options.pipeline.retry);
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
  Terminal terminal({.quiet = options.quiet, .sinks = {}});
  std::mutex mutex;
  std::stop_source stop;
  const InterruptWatch watch([&] { stop.request_stop(); }, [] {});
  int result = kDone;
  std::map<std::string, json> made;  // by node
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
        made[node.id] = ToJson(node.id, *environment);
      }
    });
  }
  building.clear();
  if (options.json) PrintJson({{"version", 1}, {"environments", InOrder(*plan, std::move(made))}});
  return stop.stop_requested() ? kInterrupted : result;
}

}  // namespace penstock::cli
