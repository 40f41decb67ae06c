// Removes what dead runtimes left. Every command does that on its way; this one does nothing else, and says what it
// did.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/count.h"
#include "cli/engine.h"
#include "cli/json_output.h"
#include "cli/leftovers.h"
#include "cli/verbs.h"
#include "container/entry.h"
#include "container/orphans.h"
#include "container/removal.h"
#include "session/control.h"

namespace penstock::cli {

auto Gc(const GcOptions& options) -> int {
  const docker::Call call(base::Deadline::In(std::chrono::seconds(30)));
  const auto engine = docker::Engine::Connect({}, call);
  if (!engine) return Complain(engine.error());
  auto removed = container::RemoveOrphans(**engine, call);
  if (!removed) return Complain(removed.error());
  const auto remove = [&](const container::LockedDirectory& claimed) -> base::Status {
    PENSTOCK_ASSIGN(const auto removal, container::RemoveClaimed(**engine, claimed, call));
    if (removal == docker::Removal::kRemoved) ++*removed;
    return {};
  };
  const auto swept =
      container::SweepEntries(options.warm ? container::Sweep::kUnused : container::Sweep::kSilent, remove);
  if (!swept) return Complain(swept.error());
  if (const auto live = session::LiveSessions(); !live) return Complain(live.error());
  RemoveUnfinishedMessages();
  if (options.json) {
    PrintJson({{"version", 1}, {"containers", *removed}});
  } else if (!options.quiet) {
    fmt::print("removed {}\n", base::Count(*removed, "container"));
  }
  return kDone;
}

}  // namespace penstock::cli
