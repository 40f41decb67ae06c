// The image an environment is built upon: Penstock's own for a Python version, or one that the user brings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "docker/engine.h"
#include "image/environment.h"
#include "image/image_check.h"
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

/// An image that the user brings, looked into.
struct CheckedImage {
  docker::Image image;
  std::vector<Check> checks;
  std::optional<ImageFacts> facts;  // absent: it is for another machine
};

struct CheckOptions {
  std::string python_version{};  // that it must have; empty: any
  std::string interpreter{};     // absolute path in it, always looked at anew; empty: the python3 that nodes use
  Probing probing = Probing::kWhenUnknown;
};

/// Looks into the image `reference`; fetches it when the engine does not have it. Errors: kNotFound, and the engine's.
/// That an image does not fit is no error.
auto CheckCustomImage(docker::Engine& engine, const std::string& reference, const CheckOptions& options,
                      const ProgressSink& progress, const docker::Call& call) -> base::Expected<CheckedImage>;

/// The same as a base for nodes of `python_version`. One that was refused before is looked into again when
/// `retry_refused`, or when its content has changed. Errors: also kInvalidArgument with the checks that failed and what
/// to change.
auto EnsureCustomBase(docker::Engine& engine, const std::string& reference, const std::string& python_version,
                      bool retry_refused, const ProgressSink& progress, const docker::Call& call)
    -> base::Expected<BaseImage>;

}  // namespace penstock::image
