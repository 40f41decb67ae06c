// Engine and image index together, reconciled, as the verbs of `penstock images` need them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "docker/engine.h"
#include "image/index.h"

namespace penstock::cli {

class ImageStore final {
 public:
  static auto Open() -> base::Expected<ImageStore>;
  auto engine() noexcept -> docker::Engine& { return *engine_; }
  auto index() noexcept -> image::Index& { return index_; }
  /// As they were when it was opened, the one used last first.
  auto entries() const noexcept -> const std::vector<image::Entry>& { return entries_; }
  /// Whether a container has its image.
  auto InUse(const image::Entry& entry) const -> bool;
  /// Why no node can run in it, as a look into it has found; empty: nothing speaks against it.
  auto Refusal(const image::Entry& entry) const -> std::string;
  /// By the beginning of its identity, its image's name or id. Errors: kNotFound, kConflict (several).
  auto FindById(std::string id) const -> base::Expected<image::Entry>;
  /// For one request of the engine or a few.
  static auto Soon() -> docker::Call;

 private:
  ImageStore(std::unique_ptr<docker::Engine> engine, image::Index index)
      : engine_(std::move(engine)), index_(std::move(index)) {}
  std::unique_ptr<docker::Engine> engine_;
  image::Index index_;
  std::vector<image::Entry> entries_;
  std::vector<std::string> in_use_;
  std::map<std::string, std::string> refusals_;  // by identity
};

}  // namespace penstock::cli
