// The files that a Dockerfile of the user's can see, as they are sent to the engine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "docker/tar.h"
#include "image/environment.h"

namespace penstock::image {

/// Everything below the context's directory that its ignore file does not keep out; links as links, sockets left out,
/// owners and times fixed, so that equal files are equal contexts. The ignore file is .dockerignore, or the
/// Dockerfile's own, "NAME.dockerignore" beside it. .dockerignore, where it counts, and the Dockerfile are always in
/// the context, as the engine reads them there.
class BuildContext final {
 public:
  /// All of it is read whenever somebody asks whether the image is there, and copied once to be sent. What is larger is
  /// rather forgotten in an ignore file than needed in an image.
  static constexpr std::uint64_t kLargestBytes = std::uint64_t{500} << 20U;

  /// Errors: kNotFound (no such directory, no Dockerfile in it), kInvalidArgument (a broken ignore file, or more than
  /// kLargestBytes), kPermission.
  static auto Collect(const ImageBuild& build) -> base::Expected<BuildContext>;

  /// SHA-256 in hexadecimal of what would be sent.
  auto Digest() const -> base::Expected<std::string>;
  /// A nameless file with what is to be sent, at its beginning. Errors: kConflict: it is not what `digest` is of.
  auto Spool(const std::string& digest) const -> base::Expected<base::UniqueFd>;

 private:
  std::vector<docker::TarEntry> entries_;
};

}  // namespace penstock::image
