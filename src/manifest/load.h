// Reads a manifest, YAML or JSON, and checks everything that can be checked without knowing the host.
//
// Total: every error of the file is found in one run, each with its position, sorted by it. Nothing is ignored: an
// unknown key is an error with the nearest known one, and so is a known field that has no effect yet.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "manifest/pipeline.h"

namespace penstock::manifest {

using Errors = std::vector<base::Error>;
template <class T>
using Checked = tl::expected<T, Errors>;

/// Reads the file, a directory that holds a `pipeline.yaml`, or "-" for standard input.
/// Errors: kInvalidArgument for what is wrong in the file; kNotFound, kPermission… when it cannot be read.
auto Load(const std::filesystem::path& path) -> Checked<Pipeline>;

/// The same from memory. `file` names it in positions; `directory` is what its relative paths are relative to.
auto Parse(std::string_view text, std::string file, std::filesystem::path directory) -> Checked<Pipeline>;

/// One line per error and a last line with their number: what a terminal shows.
auto RenderErrors(const Errors& errors) -> std::string;

}  // namespace penstock::manifest
