// A Landlock domain for each worker of a container: the walls between sessions that share it.
//
// A process in a domain can no longer trace what is outside of it, which is what the kernel asks for before it shows
// another process's descriptors, memory, environment or working directory in /proc, copies a descriptor from it, or
// reads its memory. From version 6 on it can neither signal what is outside nor connect to its abstract sockets. What
// the worker starts is in its domain and stays within reach. Files are not restricted: those walls are the container's.
#pragma once

#include "base/error.h"

namespace penstock::worker::agent {

/// The version that EnterDomain would use here. 0: none, because the kernel has no Landlock, the engine's seccomp
/// profile hides it, or it is version 1, in which no confined program can move files between directories.
auto DomainVersion() -> int;

/// Puts this process into a domain of its own, for good; gives up gaining privileges. Call single-threaded. False:
/// errno says why.
auto EnterDomain(int version) -> bool;

}  // namespace penstock::worker::agent
