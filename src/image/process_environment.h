// The virtual environment of a process node: the same package lists that a container's image is made from, installed
// with a matching Python of the host. Kept in the cache directory by identity; made once, by one process at a time.
#pragma once

#include <filesystem>
#include <string>

#include "docker/call.h"
#include "image/environment.h"
#include "image/progress.h"

namespace penstock::image {

struct ProcessEnvironment {
  std::filesystem::path interpreter;
  std::string python_version;  // "3.10.13"
  bool cached = true;
};

/// `python` is a path or version that overrides the environment's (the node's `python` field); empty: the environment's
/// own. Without Python packages it is the host's interpreter itself. System packages must be installed already. Errors:
/// kUnavailable (no such Python, missing system packages, each named); kNodeFailed with pip's last lines.
auto EnsureProcessEnvironment(const EnvironmentSpec& spec, const std::string& python, const ProgressSink& progress,
                              const docker::Call& call) -> base::Expected<ProcessEnvironment>;

}  // namespace penstock::image
