#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/engine.h"
#include "cli/interrupt.h"
#include "cli/json_output.h"
#include "cli/load.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "image/index.h"
#include "session/environment.h"

namespace penstock::cli {
namespace {

// What the environment of `node` holds; made when it is not there.
auto ContentsOf(const plan::Node& node, docker::Engine& engine, Terminal& terminal, const docker::Call& call)
    -> base::Expected<image::Contents> {
  PENSTOCK_ASSIGN(const auto spec, session::SpecOf(*node.environment, nullptr));
  const auto progress = [&](const image::Progress& step) {
    terminal.OnProgress(fmt::format("environment of {}: {}", node.id, step.step), step.line);
  };
  PENSTOCK_ASSIGN(const auto environment, image::EnsureEnvironment(engine, spec, progress, call));
  PENSTOCK_ASSIGN(auto index, image::Index::OpenDefault(engine.socket_path()));
  PENSTOCK_ASSIGN(auto entry, index.Find(environment.identity));
  if (!entry) {
    return base::Fail(base::ErrorCode::kUnavailable, "the image was removed while it was being locked; try again");
  }
  return std::move(entry->contents);
}

auto Collect(const plan::Plan& plan, docker::Engine& engine, Terminal& terminal, const docker::Call& call)
    -> base::Expected<image::LockFile> {
  image::LockFile lock(image::LockFile::PathBeside(plan.file));
  for (const auto& node : plan.nodes) {
    if (node.placement != plan::Placement::kContainer || !node.environment->NeedsBuild()) continue;
    PENSTOCK_ASSIGN(const auto contents, ContentsOf(node, engine, terminal, call));
    const auto& known = lock.environments();
    if (std::ranges::find(known, contents.spec, &image::LockedEnvironment::asked) != known.end()) continue;
    if (auto added = lock.Add(contents); !added) {
      return tl::make_unexpected(std::move(added).error().While(fmt::format("locking node '{}'", node.id)));
    }
  }
  return lock;
}

}  // namespace

auto Lock(const BuildOptions& options) -> int {
  BlockInterrupts();
  const auto plan = LoadPlan(options.pipeline);
  if (!plan) return Show(plan.error());
  const auto engine = ConnectEngine();
  if (!engine) return Complain(engine.error());
  Terminal terminal({.quiet = options.quiet, .sinks = {}});
  std::stop_source stop;
  const InterruptWatch watch([&] { stop.request_stop(); }, [] {});
  const auto lock = Collect(*plan, **engine, terminal, docker::Call(base::Deadline::Never(), stop.get_token()));
  if (stop.stop_requested()) return kInterrupted;
  if (!lock) return Complain(lock.error());
  if (const auto written = lock->Write(); !written) return Complain(written.error());
  if (options.json) {
    PrintJson({{"version", 1}, {"lock", lock->path().string()}, {"environments", lock->environments().size()}});
    return kDone;
  }
  terminal.Note(fmt::format("{}: environments locked: {}; `penstock run` and `build` install exactly these",
                            lock->path().string(), lock->environments().size()));
  return kDone;
}

}  // namespace penstock::cli
