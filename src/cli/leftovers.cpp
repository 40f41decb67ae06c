#include "cli/leftovers.h"

#include <chrono>

#include "base/log.h"
#include "base/paths.h"
#include "cli/engine.h"
#include "container/entry.h"
#include "container/removal.h"
#include "observe/quarantine.h"
#include "session/control.h"

namespace penstock::cli {

void RemoveUnfinishedMessages() {
  if (const auto state = base::StateDirectory()) observe::SweepQuarantine(*state / "quarantine");
}

void RemoveLeftovers() {
  const docker::Call call(base::Deadline::In(std::chrono::seconds(10)));
  std::unique_ptr<docker::Engine> engine;
  const auto swept =
      container::SweepEntries(container::Sweep::kEnded, [&](const container::LockedDirectory& claimed) -> base::Status {
        if (!engine) {
          PENSTOCK_ASSIGN(engine, ConnectEngine());
        }
        PENSTOCK_TRY(container::RemoveClaimed(*engine, claimed, call));
        return {};
      });
  static_cast<void>(session::LiveSessions());  // removes the places of dead ones on its way
  RemoveUnfinishedMessages();
  if (!swept) {
    base::Log(base::LogLevel::kWarning,
              "what is left of a container could not be removed, the next command tries again: {}",
              swept.error().ToString());
  }
}

}  // namespace penstock::cli
