// A container that does one thing while an image is made, and is removed afterwards whatever happens.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/command.h"
#include "docker/engine.h"

namespace penstock::image {

/// Owns one container of the engine. Move-only; used by one thread.
class StepContainer final {
 public:
  static auto Create(docker::Engine& engine, const docker::ContainerSpec& spec, const docker::Call& call)
      -> base::Expected<StepContainer>;
  StepContainer(StepContainer&& other) noexcept;
  auto operator=(StepContainer&&) -> StepContainer& = delete;
  ~StepContainer();

  auto id() const noexcept -> const std::string& { return id_; }
  /// Starts it and waits for its end. Both outputs go to `on_line`, complete, on the engine's I/O thread. Result: exit
  /// status.
  auto Run(const base::LineSink& on_line, const docker::Call& call) -> base::Expected<std::int64_t>;

 private:
  StepContainer(docker::Engine& engine, std::string id) : engine_(&engine), id_(std::move(id)) {}
  docker::Engine* engine_;
  std::string id_;
};

}  // namespace penstock::image
