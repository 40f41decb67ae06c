// Files of variables that a node is given without their values being in the manifest.
//
// A line is NAME=VALUE, a comment that begins with '#', or empty. The value is what follows '=', to the end of the
// line; quotes around all of it are taken off. Nothing is expanded.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "manifest/load.h"

namespace penstock::manifest {

using Variables = std::map<std::string, std::string>;

/// Errors have positions in the file; they name variables, never values.
auto ParseEnvFile(std::string_view text, const std::string& file) -> Checked<Variables>;
auto LoadEnvFile(const std::filesystem::path& path) -> Checked<Variables>;

}  // namespace penstock::manifest
