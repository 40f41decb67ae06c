// What an environment was made of and what came out, as one value: kept in the index, and as a label in the image, so
// that an index can be made anew from the images.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "image/environment.h"

namespace penstock::image {

struct Contents {
  int recipe = 0;
  EnvironmentSpec spec;        // normalised; a lock is not in it, only its digest below
  std::string base_reference;  // "penstock/base:3.11"
  BaseContent base;
  std::string base_path;  // PATH of the base
  std::string base_user;
  std::string lock_digest;  // of the locked packages it was made from; empty: not locked
  Resolved resolved;        // empty until it was built

  /// Whether it is what a Dockerfile of the user's makes, rather than an environment upon something.
  auto is_dockerfile() const noexcept -> bool { return spec.build && spec.empty(); }

  auto operator==(const Contents&) const -> bool = default;
};

auto ToJsonText(const Contents& contents) -> std::string;
/// nullopt: it is not what ToJsonText writes.
auto ParseContents(const std::string& text) -> std::optional<Contents>;

}  // namespace penstock::image
