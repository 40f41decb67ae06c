// Whose images and builds are whose, where several users or state directories share an engine, a cache or a runtime
// directory: locks are in the state directory, and tell only of the builds of those who share it.
#pragma once

#include <string>

#include "base/error.h"

namespace penstock::image {

/// On images and on the containers that make them: whose they are.
inline constexpr auto kOwnerLabel = "penstock.owner";

/// A hash of user and state directory.
auto Owner() -> base::Expected<std::string>;

}  // namespace penstock::image
