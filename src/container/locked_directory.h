// Directories of containers and sessions that say by a lock whether anybody uses them.
#pragma once

#include "base/locked_directory.h"

namespace penstock::container {
using base::LockedDirectory;
}  // namespace penstock::container
