// What goes with a plan when its environments are found or made: locks and second tries.
#pragma once

#include "session/environment.h"

namespace penstock::cli {

/// Reads the lock beside the manifest, when there is one, and checks that it has every environment of the plan.
auto EnvironmentOptionsOf(const plan::Plan& plan, bool retry_failed) -> base::Expected<session::EnvironmentOptions>;

}  // namespace penstock::cli
