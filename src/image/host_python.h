// Finds a Python interpreter on the host for process nodes.
#pragma once

#include <filesystem>
#include <string>

#include "base/deadline.h"
#include "base/error.h"

namespace penstock::image {

struct HostPython {
  std::filesystem::path executable;
  std::string version;  // "3.10.13"
};

/// `wanted` is a path, a version ("3.10"), the name of a command ("python3.10"), or empty for any from 3.9 on. Versions
/// and commands are looked for in PATH, below pyenv's root, in $PENSTOCK_PYTHON_PREFIXES and in the usual prefixes;
/// every candidate is asked for its version. Errors: kUnavailable with where was looked; kInvalidArgument when a given
/// path is no Python or too old.
auto FindHostPython(const std::string& wanted, base::Deadline deadline) -> base::Expected<HostPython>;

}  // namespace penstock::image
