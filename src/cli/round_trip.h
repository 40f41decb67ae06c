// Messages through an image: a pipeline of three nodes, the one in the middle in a container of it.
#pragma once

#include <stop_token>
#include <string>

#include "docker/engine.h"
#include "image/image_check.h"

namespace penstock::cli {

/// Runs a session in which a native source sends through shared memory to a Python node in `image`, whose answers a
/// native sink takes. Nothing is left of it, not even its log..
auto CheckRoundTrip(docker::Engine& engine, const std::string& image, const std::string& python_version,
                    const std::stop_token& stop) -> image::Check;

}  // namespace penstock::cli
