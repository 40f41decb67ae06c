// The environment of a node wherever it runs: an image for a container, a Python of the host for a process.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "docker/engine.h"
#include "image/builder.h"
#include "image/lock_file.h"
#include "image/progress.h"
#include "plan/plan.h"

namespace penstock::session {

struct EnvironmentOptions {
  image::BuildOptions build;
  /// Exact versions of the containers' packages; null: none are locked.
  std::shared_ptr<const image::LockFile> lock;
};

/// What to find or make for a node in a container, with its locked packages. Errors: kInvalidArgument: the lock does
/// not fit the manifest.
auto SpecOf(const plan::Environment& environment, const image::LockFile* lock)
    -> base::Expected<image::EnvironmentSpec>;

struct NodeEnvironment {
  std::string image;  // container nodes
  std::string interpreter;
  std::map<std::string, std::string> env;  // the image's own variables
  bool cached = true;
  std::shared_ptr<const base::FileLock> hold;  // keeps the image until a container has it
};

/// Finds or makes it; native nodes need none. `engine` may be null when the node is not placed in a container.
/// Blocking; any thread.
auto EnsureEnvironmentOf(const plan::Node& node, docker::Engine* engine, const image::ProgressSink& progress,
                         const docker::Call& call, const EnvironmentOptions& options = {})
    -> base::Expected<NodeEnvironment>;

}  // namespace penstock::session
