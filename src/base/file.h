// Small files, whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace penstock::base {

/// Errors: kNotFound, kPermission and the like from the system, kInvalidArgument when it is longer than `most` bytes.
auto ReadFile(const std::filesystem::path& path, std::size_t most) -> Expected<std::string>;

}  // namespace penstock::base
