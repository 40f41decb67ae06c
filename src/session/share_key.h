// Which workers may be one process, if their node's class wants that.
#pragma once

#include <string>

#include "plan/plan.h"
#include "session/worker_process.h"

namespace penstock::session {

/// Equal for nodes of which a process that loaded one's model has loaded the other's: same command, environment, node
/// type, params and code. Code are the Python and shared object files below the manifest's folder, by size and time of
/// change, also where links lead that stay in that folder. Of a link that leaves it only the target counts. Empty (no
/// sharing) when there are too many entries to look at.
auto ShareKey(const plan::Plan& plan, const plan::Node& node, const WorkerCommand& command) -> std::string;

}  // namespace penstock::session
