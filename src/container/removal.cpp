#include "container/removal.h"

#include "container/entry.h"

namespace penstock::container {

auto RemoveClaimed(const docker::Engine& engine, const LockedDirectory& claimed, const docker::Call& call)
    -> base::Expected<docker::Removal> {
  // By name: an entry may have no record, and creation may have succeeded without an answer.
  PENSTOCK_ASSIGN(const auto removal, engine.Remove(EngineName(claimed.path()), call));
  claimed.Remove();
  return removal;
}

}  // namespace penstock::container
