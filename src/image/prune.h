// Which environments to give up, and giving them up.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "docker/engine.h"
#include "image/index.h"

namespace penstock::image {

/// What may stay. An image that breaks one of the given limits goes, the one used longest ago first.
struct PruneLimits {
  std::optional<std::size_t> keep{};                 // images, those in use or pinned among them
  std::optional<std::chrono::seconds> older_than{};  // goes when it was last used longer ago
  std::optional<std::int64_t> size_bytes{};          // of all together
};

struct PruneCandidate {
  Time last_used;
  std::int64_t size_bytes = 0;
  bool keep_always = false;  // in use, pinned, or not ours
};

/// Indices of what goes, the one used longest ago first. Never one that is kept always, even when limits stay broken.
auto PickForRemoval(const std::vector<PruneCandidate>& candidates, const PruneLimits& limits, Time now)
    -> std::vector<std::size_t>;

struct Pruned {
  std::vector<Entry> removed;
  std::int64_t freed_bytes = 0;
  /// Entries that would have gone, and why they stay: "in use by a container".
  struct Kept {
    Entry entry;
    std::string why;
  };
  std::vector<Kept> kept;
  std::size_t forgotten_failures = 0;
};

/// Ids of the images that some container has, running or not.
auto ImagesInUse(docker::Engine& engine, const docker::Call& call) -> base::Expected<std::vector<std::string>>;

/// Reconciles, then removes images by `limits`, and the records and logs of failures that are older than `older_than`
/// (30 days when not given). Never an image that a container has, that somebody is about to start one from, that is
/// pinned, or that was made for another user.
auto Prune(docker::Engine& engine, Index& index, const PruneLimits& limits, Time now, const docker::Call& call)
    -> base::Expected<Pruned>;

}  // namespace penstock::image
