// What runtimes that died by kill -9 could not remove themselves: the records of their exited containers.
#pragma once

namespace penstock::cli {

/// Removes it, by proof of death. Costs one directory listing when there is nothing. Failures are warnings.
void RemoveLeftovers();

}  // namespace penstock::cli
