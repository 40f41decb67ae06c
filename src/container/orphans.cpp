#include "container/orphans.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "container/container_spec.h"
#include "container/entry.h"
#include "container/removal.h"

namespace penstock::container {

namespace {

struct Owned {
  docker::ContainerSummary container;
  std::filesystem::path entry;
};

/// Containers whose entries are in this user's runtime directory, whether or not they are used.
auto ListOwned(const docker::Engine& engine, const docker::Call& call) -> base::Expected<std::vector<Owned>> {
  PENSTOCK_ASSIGN(const auto directory, EntriesDirectory());
  PENSTOCK_ASSIGN(const auto containers, engine.List({fmt::format("{}={}", kUserLabel, ::getuid())}, call));
  std::vector<Owned> owned;
  for (const auto& container : containers) {
    const auto home = container.labels.find(kDirectoryLabel);
    const auto name = container.labels.find(kEntryLabel);
    if (home == container.labels.end() || name == container.labels.end()) continue;
    // Another runtime directory's locks cannot be looked at, so that its containers are not ours to judge.
    if (home->second != directory.string()) continue;
    const auto entry = directory / name->second;
    // Images hand labels on: a container that somebody else makes of ours' content is not ours.
    if (container.name == EngineName(entry)) owned.push_back({.container = container, .entry = entry});
  }
  return owned;
}

struct Orphan {
  std::optional<LockedDirectory> claimed;  // nullopt: its entry is gone
};

/// nullopt: somebody uses it, or its agent runs.
auto Judge(const std::filesystem::path& entry) -> std::optional<Orphan> {
  if (AgentAnswers(entry)) return std::nullopt;
  auto claimed = LockedDirectory::Claim(entry);
  std::error_code error;
  if (!claimed && std::filesystem::exists(entry, error)) return std::nullopt;
  return Orphan{.claimed = std::move(claimed)};
}

}  // namespace

auto CountOrphans(const docker::Engine& engine, const docker::Call& call) -> base::Expected<std::size_t> {
  PENSTOCK_ASSIGN(const auto owned, ListOwned(engine, call));
  return static_cast<std::size_t>(
      std::ranges::count_if(owned, [](const Owned& one) { return Judge(one.entry).has_value(); }));
}

auto RemoveOrphans(const docker::Engine& engine, const docker::Call& call) -> base::Expected<std::size_t> {
  PENSTOCK_ASSIGN(const auto owned, ListOwned(engine, call));
  std::size_t removed = 0;
  for (const auto& [container, entry] : owned) {
    const auto orphan = Judge(entry);
    if (!orphan) continue;
    PENSTOCK_ASSIGN(const auto removal, orphan->claimed ? RemoveClaimed(engine, *orphan->claimed, call)
                                                        : engine.Remove(container.id, call));
    if (removal == docker::Removal::kRemoved) ++removed;
  }
  return removed;
}

}  // namespace penstock::container
