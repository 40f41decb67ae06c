// Small files, whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace penstock::base {

/// Errors: kNotFound, kPermission and the like from the system, kInvalidArgument when it is longer than `most` bytes.
auto ReadFile(const std::filesystem::path& path, std::size_t most) -> Expected<std::string>;

/// Writes `text` beside `path`, with the extension ".new", and puts that in its place: readers see the old or the new
/// file whole. Errors: kUnavailable when it cannot be written, and the system's.
auto ReplaceFile(const std::filesystem::path& path, std::string_view text) -> Status;

}  // namespace penstock::base
