// What an environment of a node consists of, and when two of them are the same.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "image/resolved.h"
#include "manifest/pipeline.h"

namespace penstock::image {

/// Raised when images made by an older Penstock must be made again.
inline constexpr int kEnvironmentRecipe = 2;

/// A Dockerfile of the user's, whose image takes the place of the base.
struct ImageBuild {
  std::string written{};     // the context's directory, as the manifest has it
  std::string dockerfile{};  // its path in there
  std::filesystem::path context{};

  /// Whether the same is asked for, wherever the manifest lies.
  auto operator==(const ImageBuild& other) const -> bool {
    return written == other.written && dockerfile == other.dockerfile;
  }
};

/// What an environment is built upon. The layers are the image's content; its id also covers dates, and would make
/// equal bases differ.
struct BaseContent {
  std::vector<std::string> layers;  // RootFS.Layers
  std::string arch;                 // as the engine says it: "amd64"

  auto operator==(const BaseContent&) const -> bool = default;
};

/// Python, system packages and Python packages on a base image. Limits, variables and volumes belong to containers.
struct EnvironmentSpec {
  std::string python_version;             // "3.11"
  std::optional<std::string> base_image;  // absent: Penstock's own of that version
  std::vector<std::string> system_packages;
  std::vector<manifest::PythonPackage> python_packages;
  std::optional<Resolved> locked{};          // exactly these, in place of what the lists would give today (lock_file.h)
  std::optional<BaseContent> locked_base{};  // what the lock was written upon
  std::optional<ImageBuild> build{};         // instead of a base image

  auto empty() const noexcept -> bool { return system_packages.empty() && python_packages.empty(); }
  auto operator==(const EnvironmentSpec&) const -> bool = default;
};

auto SpecOf(const manifest::DockerSection& docker) -> EnvironmentSpec;

/// The same environment in one spelling: packages normalised (requirement.h), sorted, without repetition.
/// Errors: kInvalidArgument, naming the package.
auto Normalise(const EnvironmentSpec& spec) -> base::Expected<EnvironmentSpec>;

/// Of the locked packages, whatever file they stand in. Empty for none.
auto LockDigest(const std::optional<Resolved>& locked) -> std::string;

/// SHA-256 in hexadecimal over everything that decides what the image contains. `spec` must be normalised.
auto Identity(const EnvironmentSpec& spec, const BaseContent& base) -> std::string;

}  // namespace penstock::image
