// The environment of a node wherever it runs: an image for a container, a Python of the host for a process.
#pragma once

#include <map>
#include <string>

#include "docker/engine.h"
#include "image/progress.h"
#include "plan/plan.h"

namespace penstock::session {

struct NodeEnvironment {
  std::string image;  // container nodes
  std::string interpreter;
  std::map<std::string, std::string> env;  // the image's own variables
  bool cached = true;
};

/// Finds or makes it; native nodes need none. `engine` may be null when the node is not placed in a container.
/// Blocking; any thread.
auto EnsureEnvironmentOf(const plan::Node& node, docker::Engine* engine, const image::ProgressSink& progress,
                         const docker::Call& call) -> base::Expected<NodeEnvironment>;

}  // namespace penstock::session
