#include "container/orphans.h"

#include <unistd.h>

#include "container/container_spec.h"
#include "container/entry.h"
#include "container/removal.h"

namespace penstock::container {

auto RemoveOrphans(const docker::Engine& engine, const docker::Call& call) -> base::Expected<std::size_t> {
  PENSTOCK_ASSIGN(const auto directory, EntriesDirectory());
  PENSTOCK_ASSIGN(const auto containers, engine.List({fmt::format("{}={}", kUserLabel, ::getuid())}, call));
  std::size_t removed = 0;
  for (const auto& container : containers) {
    const auto home = container.labels.find(kDirectoryLabel);
    const auto name = container.labels.find(kEntryLabel);
    if (home == container.labels.end() || name == container.labels.end()) continue;
    // Another runtime directory's locks cannot be looked at, so that its containers are not ours to judge.
    if (home->second != directory.string()) continue;
    const auto entry = directory / name->second;
    // Images hand labels on: a container that somebody else makes of ours' content is not ours.
    if (container.name != EngineName(entry)) continue;
    if (AgentAnswers(entry)) continue;
    const auto claimed = LockedDirectory::Claim(entry);
    std::error_code error;
    if (!claimed && std::filesystem::exists(entry, error)) continue;
    PENSTOCK_ASSIGN(const auto removal,
                    claimed ? RemoveClaimed(engine, *claimed, call) : engine.Remove(container.id, call));
    if (removal == docker::Removal::kRemoved) ++removed;
  }
  return removed;
}

}  // namespace penstock::container
