// Environments as images: found when they exist, built when not.
//
// The index (index.h) says what is there, and remembers failures. Two containers make one: the first has network,
// downloads into a cache that all environments share, and is thrown away; the second has none, installs from the cache,
// and is committed. So nothing of the host's configuration can be in the image, and a second environment with the same
// packages downloads nothing again.
#pragma once

#include <memory>
#include <string>

#include "base/file_lock.h"
#include "docker/engine.h"
#include "image/environment.h"
#include "image/progress.h"

namespace penstock::image {

/// Every environment image carries its identity under this label.
inline constexpr auto kEnvironmentLabel = "penstock.environment";

enum class Origin {
  kBase,     // no packages: the base image itself
  kCached,   // was there
  kBuilt,    // made by this call
  kAwaited,  // made by another process or thread, for which this call waited
};

struct Environment {
  std::string image_id;        // "sha256:…": what containers are created from
  std::string identity;        // SHA-256 in hexadecimal; equal content, equal identity
  std::string interpreter;     // absolute path in the image
  std::string python_version;  // "3.11"
  Origin origin = Origin::kBase;
  /// While it lives, no prune takes the image: to be kept until a container holds it. Null for a base.
  std::shared_ptr<const base::FileLock> hold;
};

struct BuildOptions {
  /// Build also what failed before with nothing changed since.
  bool retry_failed = false;
};

/// The image of `spec`, made when it is not there. Processes that want the same one at the same time make it once: the
/// others wait, and see how far it is. Any thread; several environments may be made in parallel.
///
/// A build that failed is remembered (index.h) with its output, and not tried again until what was asked for, the base
/// or this host's settings have changed. That does not hold for failures of network and disk.
///
/// Errors: kInvalidArgument (a package line, or a base image that does not fit), kNotFound (no such base image),
/// kUnavailable (a step failed: its name, what to change where that is known, its last lines), kDeadline, kCancelled,
/// and the engine's. A failed or stopped build leaves no container and no image.
auto EnsureEnvironment(docker::Engine& engine, const EnvironmentSpec& spec, const ProgressSink& progress,
                       const docker::Call& call, const BuildOptions& options = {}) -> base::Expected<Environment>;

}  // namespace penstock::image
