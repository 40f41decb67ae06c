// What is known about a container's limits and its end, gathered while that is possible.
#pragma once

#include <optional>
#include <string>

#include "container/cgroup.h"
#include "container/event_ledger.h"

namespace penstock::container {

struct ContainerEvidence {
  std::optional<Counters> counters;  // since the watch began; nullopt: this host does not show them
  EngineRecord engine;
  bool engine_lost = false;  // its stream of events has ended: the engine was stopped or restarted
};

/// One session's eye on one container. One thread.
///
/// The kernel's counters go with the container, some milliseconds after its last process: whoever learns of an end, or
/// of a process that was killed, reads at once. When they are gone the last reading stands.
class ContainerWatch final {
 public:
  /// From when the container runs. `events` may be null, and must outlive the watch.
  ContainerWatch(std::string container, const EventLedger* events);

  auto container() const noexcept -> const std::string& { return container_; }
  auto Read() -> ContainerEvidence;

 private:
  std::string container_;
  const EventLedger* events_;
  std::optional<Cgroup> cgroup_;
  Counters baseline_;  // what sessions before this one did in the same container
  std::optional<Counters> last_;
};

}  // namespace penstock::container
