// Archives for the engine: build contexts and root file systems.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace penstock::docker {

struct TarEntry {
  std::string path;  // relative: "etc/passwd"; a directory when it ends in '/'
  std::string content{};
  mode_t mode = 0644;
  std::string link_target{};  // not empty: a symbolic link
  /// Not empty: the content is that of this file, read when the tar is written.
  std::filesystem::path source{};
  std::uint64_t source_bytes = 0;  // its size, which the tar says before its content
};

/// The entries as one tar (ustar, pax where names need it). Equal entries give equal bytes, in whatever order they
/// come: sorted by path, owner 0:0, dated 1970-01-01. Errors: kInvalidArgument for an empty, absolute or repeated path.
auto MakeTar(std::vector<TarEntry> entries) -> base::Expected<std::string>;

/// Takes the tar's bytes, piece by piece.
using TarSink = std::function<base::Status(std::string_view piece)>;

/// The same, without holding it in memory. Errors: also the sink's, those of reading a source, and kConflict for a
/// source that has another size than it had.
auto WriteTar(std::vector<TarEntry> entries, const TarSink& sink) -> base::Status;

}  // namespace penstock::docker
