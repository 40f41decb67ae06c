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

/// What a manifest says, as far as it can be understood, and everything that is wrong with it.
struct Reading {
  Pipeline pipeline;  // what has an error is left out or at its default
  Errors errors;      // sorted by position
};

/// Reads the file, a directory that holds a `pipeline.yaml`, or "-" for standard input.
/// Errors: kInvalidArgument for what is wrong in the file; kNotFound, kPermission… when it cannot be read.
auto Read(const std::filesystem::path& path) -> Reading;
/// The same, as a pipeline without errors.
auto Load(const std::filesystem::path& path) -> Checked<Pipeline>;

/// From memory. `file` names it in positions; `directory` is what its relative paths are relative to.
auto Parse(std::string_view text, std::string file, std::filesystem::path directory) -> Checked<Pipeline>;

/// Those in `file` first, each file's by position, without repetitions.
auto Sorted(Errors errors, const std::string& file) -> Errors;

/// One line per error and a last line with their number: what a terminal shows.
auto RenderErrors(const Errors& errors) -> std::string;

}  // namespace penstock::manifest
