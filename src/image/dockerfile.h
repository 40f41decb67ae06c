// An environment as a Dockerfile, for people who want to read it or to make it elsewhere.
#pragma once

#include <string>

#include "image/contents.h"

namespace penstock::image {

/// Names the packages that `contents` ended up with, exactly. To build it takes a base whose apt knows a mirror that
/// still has these versions (Penstock's own bases, when made without a registry, know none).
auto EquivalentDockerfile(const Contents& contents) -> std::string;

}  // namespace penstock::image
