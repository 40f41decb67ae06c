#include "cli/leftovers.h"

#include <chrono>

#include "base/log.h"
#include "cli/engine.h"
#include "container/container.h"
#include "container/runtime_directory.h"

namespace penstock::cli {

void RemoveLeftovers() {
  const docker::Call call(base::Deadline::In(std::chrono::seconds(10)));
  std::unique_ptr<docker::Engine> engine;
  const auto swept = container::SweepDeadRuntimes([&](const std::string& runtime_id) -> base::Status {
    if (!engine) {
      PENSTOCK_ASSIGN(engine, ConnectEngine());
    }
    return container::RemoveContainersOf(*engine, runtime_id, call);
  });
  if (!swept) {
    base::Log(base::LogLevel::kWarning,
              "what a dead runtime left could not be removed, the next command tries again: {}",
              swept.error().ToString());
  }
}

}  // namespace penstock::cli
