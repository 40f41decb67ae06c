// What dead runtimes left in the engine. Proof of death comes from locks and from agents, never from names alone.
#pragma once

#include <cstddef>

#include "base/error.h"
#include "docker/engine.h"

namespace penstock::container {

/// Removes every container of this user and runtime directory that nobody uses and whose agent has ended or never
/// began: also one that the engine finished making only after its runtime, and the entry that led to it, were gone.
/// Result: how many; one that went by itself meanwhile does not count.
auto RemoveOrphans(const docker::Engine& engine, const docker::Call& call) -> base::Expected<std::size_t>;

/// How many RemoveOrphans would find, without removing any.
auto CountOrphans(const docker::Engine& engine, const docker::Call& call) -> base::Expected<std::size_t>;

}  // namespace penstock::container
