// Brings the index in line with what the engine really has.
#pragma once

#include "docker/engine.h"
#include "image/index.h"

namespace penstock::image {

/// The image of `identity`, when the engine has it. An entry whose image was removed behind our back is forgotten; an
/// image that the index does not know (another user's, or made just before its builder was killed) is recorded.
auto FindAvailable(docker::Engine& engine, Index& index, const std::string& identity, const docker::Call& call)
    -> base::Expected<std::optional<Entry>>;

/// The same for all: forgets entries without an image, adopts images of ours that the index does not know, and turns a
/// build whose builder is dead into a failed one that the next run tries again.
auto Reconcile(docker::Engine& engine, Index& index, const docker::Call& call) -> base::Status;

}  // namespace penstock::image
