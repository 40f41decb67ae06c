// The grammar of what follows a package's name in a requirement line: versions (PEP 440) and markers (PEP 508).
//
// As in names.h, each check returns the rule that is broken, as the end of the sentence "'x' …", or an empty string.
#pragma once

#include <string>
#include <string_view>

namespace penstock::manifest {

/// "==1.26.4", ">=2,<3": empty text is any version.
auto CheckVersions(std::string_view versions) -> std::string;
/// "python_version < '3.10' and sys_platform == 'linux'".
auto CheckMarker(std::string_view marker) -> std::string;

}  // namespace penstock::manifest
