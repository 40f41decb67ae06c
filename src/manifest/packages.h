// Reading lists of Python packages.
#pragma once

#include "manifest/docker_section.h"
#include "manifest/reader.h"

namespace penstock::manifest {

/// Requirement lines or {package, no_deps}. Names no package twice, unless markers choose between the lines.
auto Packages() -> Type<std::vector<PythonPackage>>;

}  // namespace penstock::manifest
