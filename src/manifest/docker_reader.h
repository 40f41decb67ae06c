// The table that says which fields a `docker` section has.
#pragma once

#include "manifest/docker_section.h"
#include "manifest/reader.h"

namespace penstock::manifest {

/// 16 TiB: beyond any host, far from overflow in bytes.
inline constexpr std::uint64_t kMostMegabytes = 16ULL * 1024 * 1024;

auto DockerType() -> Type<DockerSection>;

}  // namespace penstock::manifest
