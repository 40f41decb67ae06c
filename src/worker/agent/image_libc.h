// Which C library the image has, for a clear error before a Python extension fails to load.
#pragma once

#include <string>

namespace penstock::worker::agent {

/// "2.36", or empty when the file system has no glibc where distributions put it (Alpine has musl).
auto ImageGlibcVersion() -> std::string;

}  // namespace penstock::worker::agent
