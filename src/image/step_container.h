// A container that does one thing while an image is made or looked into, and is removed afterwards whatever happens: by
// its owner, or, when that was killed, by the next command (docker/ownership.h).
#pragma once

#include <string>
#include <string_view>

#include "base/command.h"
#include "base/locked_directory.h"
#include "docker/engine.h"

namespace penstock::image {

/// Owns one container of the engine. Move-only; used by one thread.
class StepContainer final {
 public:
  /// Name and labels of its entry are added to `spec`.
  static auto Create(docker::Engine& engine, docker::ContainerSpec spec, const docker::Call& call)
      -> base::Expected<StepContainer>;
  StepContainer(StepContainer&& other) noexcept;
  auto operator=(StepContainer&&) -> StepContainer& = delete;
  ~StepContainer();

  auto id() const noexcept -> const std::string& { return id_; }
  /// Starts it and waits for its end. Both outputs go to `on_line`, complete, on the engine's I/O thread. Result: exit
  /// status.
  auto Run(const base::LineSink& on_line, const docker::Call& call) -> base::Expected<std::int64_t>;

 private:
  StepContainer(docker::Engine& engine, base::LockedDirectory entry, std::string id)
      : engine_(&engine), entry_(std::move(entry)), id_(std::move(id)) {}
  docker::Engine* engine_;
  base::LockedDirectory entry_;
  std::string id_;
};

}  // namespace penstock::image
