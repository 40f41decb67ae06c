// Standard input, output and error, whatever the program was started with.
#pragma once

#include "base/error.h"

namespace penstock::base {

/// Opens /dev/null as each of 0, 1 and 2 that is closed, as a shell does by `<&-` or `>&-`: otherwise the next file or
/// socket would get that number, and what is printed would be written into it. To be called before anything is opened.
/// What is opened so has no close-on-exec, like any standard stream.
auto OpenClosedStandardStreams() -> Status;

}  // namespace penstock::base
