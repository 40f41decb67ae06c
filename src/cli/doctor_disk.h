// The room of a file system, for `penstock doctor`.
#pragma once

#include <filesystem>

#include "cli/doctor.h"

namespace penstock::cli {

/// What is free where `path` is; `use` says what takes room there.
auto LookAtRoom(std::string name, const std::filesystem::path& path, std::uint64_t least_bytes, std::string use)
    -> Finding;

}  // namespace penstock::cli
