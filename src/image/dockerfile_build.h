// Images by a Dockerfile of the user's: found by the content of their context, built by the engine when not there.
#pragma once

#include <optional>
#include <string>

#include "image/finder.h"

namespace penstock::image {

struct DockerfileImage {
  std::string identity;
  FoundImage image;
};

/// What identifies the image of `build`: the files that are sent, which Dockerfile of them, and the machine. What a
/// FROM names or a RUN fetches is not in it, as nobody can know it before.
/// Errors: those of BuildContext::Collect.
auto IdentityOf(const ImageBuild& build, const docker::Engine& engine) -> base::Expected<std::string>;

/// Errors: also kUnavailable (a step failed: which one, its last lines), and those of FindOrMake.
auto EnsureDockerfile(docker::Engine& engine, const ImageBuild& build, const std::string& python_version,
                      const BuildOptions& options, const ProgressSink& progress, const docker::Call& call)
    -> base::Expected<DockerfileImage>;

}  // namespace penstock::image
