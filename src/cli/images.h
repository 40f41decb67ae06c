// The verbs below `penstock images`: what environments there are, why one would be built, and giving them up.
#pragma once

#include <string>

#include "image/prune.h"

namespace penstock::cli {

/// JSON: a list of objects, the one used last first: identity, state, python, base, system, packages, locked,
/// size_bytes, created, last_used, uses, pinned, in_use, borrowed; image when available or refused (a look has found
/// that no node can run in it); failure when failed or refused; log when failed.
auto ListImages(bool json) -> int;
/// `id`: the beginning of an identity, the image's name or its id. JSON: as above, with dockerfile, apt and pip.
auto ShowImage(const std::string& id, bool json) -> int;
auto PinImage(const std::string& id, bool pinned, bool json) -> int;
/// JSON: removed and kept (with why), freed_bytes, forgotten_failures.
auto PruneImages(const image::PruneLimits& limits, bool json) -> int;
/// JSON: a list with node, identity, state, nearest, differences.
auto WhyImage(const std::string& manifest, const std::string& node, bool json) -> int;

}  // namespace penstock::cli
