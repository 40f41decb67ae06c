// Keeps the children of a forking node (multiprocessing, data loaders) away from the worker's ports.
//
// A child has copies of every handle but none of the threads behind them, and shares the parent's shared memory. It may
// exit as it likes: nothing of ours is destroyed in it, nothing of ours can be used in it.
#pragma once

namespace penstock::core {

/// Registers with pthread_atfork, once, when the extension is loaded.
void InstallForkGuard();

/// True in a child that was forked after InstallForkGuard.
auto Forked() noexcept -> bool;

/// False, with RuntimeError set, in a forked child.
auto CheckNotForked() -> bool;

}  // namespace penstock::core
