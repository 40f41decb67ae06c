// Archives for the engine: build contexts and root file systems.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace penstock::docker {

struct TarEntry {
  std::string path;  // relative: "etc/passwd"; a directory when it ends in '/'
  std::string content{};
  mode_t mode = 0644;
  std::string link_target{};  // not empty: a symbolic link
};

/// The entries as one tar (ustar, pax where names need it). Equal entries give equal bytes, in whatever order they
/// come: sorted by path, owner 0:0, dated 1970-01-01. Errors: kInvalidArgument for an empty, absolute or repeated path.
auto MakeTar(std::vector<TarEntry> entries) -> base::Expected<std::string>;

}  // namespace penstock::docker
