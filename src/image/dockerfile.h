// An environment as a Dockerfile, for people who want to read it or to make it elsewhere.
#pragma once

#include <string>

#include "image/contents.h"

namespace penstock::image {

/// Builds, with the plain builder, an image with the packages that `contents` ended up with.
auto EquivalentDockerfile(const Contents& contents) -> std::string;

}  // namespace penstock::image
