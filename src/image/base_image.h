// The image an environment is built upon: Penstock's own for a Python version, or one that the user brings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "docker/engine.h"
#include "image/environment.h"
#include "image/progress.h"

namespace penstock::image {

struct BaseImage {
  std::string id;           // "sha256:…"
  std::string reference;    // as people name it: "penstock/base:3.11"
  std::string interpreter;  // absolute path of its python3
  std::string path;         // its PATH variable
  std::string user;         // "1000:1000"
  BaseContent content;
  std::int64_t size_bytes = 0;
};

/// Penstock's own base for `python_version` ("3.11"); makes it with docker/scripts/build-base-images.sh when it is not
/// there. Errors: kInvalidArgument (no such version), kUnavailable with the script's last lines, kDeadline, kCancelled.
auto EnsureBase(docker::Engine& engine, const std::string& python_version, const ProgressSink& progress,
                const docker::Call& call) -> base::Expected<BaseImage>;

/// The base of an environment when it is there already, without making or fetching anything; nullopt otherwise.
/// Errors: the engine's, and of a base that does not fit.
auto FindBase(docker::Engine& engine, const EnvironmentSpec& spec, const docker::Call& call)
    -> base::Expected<std::optional<BaseImage>>;

/// The user's base image `reference`; fetches it when the engine does not have it, and checks that a node of
/// `python_version` can run on it: Python, glibc, architecture. The answer is remembered for each image content.
/// Errors: kNotFound, kInvalidArgument with what to change.
auto EnsureCustomBase(docker::Engine& engine, const std::string& reference, const std::string& python_version,
                      const ProgressSink& progress, const docker::Call& call) -> base::Expected<BaseImage>;

}  // namespace penstock::image
