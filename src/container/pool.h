// Containers of one identity, shared by the sessions of all runtimes of a user: found when one is there, made once when
// none is, however many want it at the same instant.
#pragma once

#include <functional>

#include "base/error.h"
#include "container/container.h"
#include "container/container_spec.h"
#include "docker/engine.h"

namespace penstock::container {

/// A container for `prepared` with a lease on it. Another runtime that makes the same one is waited for; `on_wait` is
/// told, at most once. One whose agent does not answer is waited for once, passed over, and removed when nobody uses
/// it. Blocking; any thread. Errors: those of Container::Create.
auto Acquire(const docker::Engine& engine, const PreparedRequest& prepared, const std::function<void()>& on_wait,
             const docker::Call& call) -> base::Expected<Container::Leased>;

}  // namespace penstock::container
