// The tables of the image index, and how a file of an older Penstock becomes one of this.
#pragma once

#include <filesystem>
#include <span>

#include "image/sqlite.h"

namespace penstock::image {

/// Step n brings version n (SQLite's user_version) to n + 1. Steps are only ever appended.
auto IndexMigrations() -> std::span<const char* const>;

/// Opens the index file for use, makes it when it is not there, and brings it to the version after the last migration.
/// Several processes may do so at once. A damaged file is moved aside ("….damaged") with a warning, and a new one made:
/// what images there are is known from the engine.
/// Errors: kUnsupported (the file is of a newer Penstock), and Database's.
auto OpenIndexFile(const std::filesystem::path& path, std::span<const char* const> migrations = IndexMigrations())
    -> base::Expected<Database>;

}  // namespace penstock::image
