// From an identity to its image: found in the index or the engine, or made, once, by whoever comes first.
#pragma once

#include <memory>
#include <string>

#include "base/file_lock.h"
#include "docker/engine.h"
#include "image/build.h"
#include "image/builder.h"
#include "image/index.h"

namespace penstock::image {

/// How one image is made. Used by one thread, with the lock of its identity held from Prepare on.
class Maker {
 public:
  Maker() = default;
  Maker(const Maker&) = delete;
  auto operator=(const Maker&) -> Maker& = delete;
  virtual ~Maker() = default;

  virtual auto identity() const -> const std::string& = 0;
  /// "this environment", for sentences.
  virtual auto noun() const -> std::string = 0;
  /// As far as it is known before.
  virtual auto contents() const -> Contents = 0;
  /// A hash of what else decides whether it can be made: with the same, a failure is not tried again.
  virtual auto Prepare(const docker::Call& call) -> base::Expected<std::string> = 0;
  virtual auto Make(BuildLog log, const docker::Call& call) -> base::Expected<Built> = 0;
  /// After an error of Make: a step said no, for a reason that stays until something changes.
  virtual auto step_failed() const -> bool = 0;
  virtual auto may_pass() const -> bool = 0;
};

struct FoundImage {
  std::string image_id;
  Origin origin = Origin::kCached;
  std::shared_ptr<const base::FileLock> hold;
};

/// Errors: those of the maker, also remembered ones, and of engine and index.
auto FindOrMake(docker::Engine& engine, Maker& maker, const BuildOptions& options, const ProgressSink& progress,
                const docker::Call& call) -> base::Expected<FoundImage>;

}  // namespace penstock::image
