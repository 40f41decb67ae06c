// What runtimes that died by kill -9 could not remove themselves: the records of their exited containers, their places
// in the runtime directory, and messages that they were putting into quarantine.
#pragma once

namespace penstock::cli {

/// Removes it, by proof of death. Costs one directory listing when there is nothing. Failures are warnings.
void RemoveLeftovers();

/// The last of these alone.
void RemoveUnfinishedMessages();

}  // namespace penstock::cli
