"""Nothing of a session may outlive it: processes, shared memory, containers, its places in the runtime directory."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path

from ledger import ViolationError
from places import PATIENCE, Place
from sessions import PENSTOCK, Run

# What tells one piece of memory from all others, also from one that the kernel gives the same number later.
Memory = tuple[str, int, int, int]


def memory_of(pid: int) -> set[Memory]:
    """The control blocks, the doorbells and the realms whose descriptors a process holds."""
    held: set[Memory] = set()
    host = Path("/").stat().st_dev
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                link, status = str(entry.readlink()), entry.stat()
                # A detached file system's root has no path but this one.
                realm = link == "/" and status.st_dev != host
                if realm or link.startswith("/memfd:penstock"):
                    kind = "realm" if realm else "memfd"
                    held.add((kind, status.st_dev, status.st_ino, status.st_ctime_ns if realm else 0))
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        pass
    return held


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return "ended"


class Belongings:
    """Of a session at one moment. Taken before it ends; afterwards all of it must be gone."""

    def __init__(self, run: Run) -> None:
        self.place = run.place
        runtime = run.pid
        self.memory = memory_of(runtime)
        holders = {pid for pid in processes() if pid != runtime and memory_of(pid) & self.memory}
        self.pidfds: dict[int, int] = {}
        for pid in holders | set(self.place.processes()) - {runtime, run.process.pid}:
            with suppress(ProcessLookupError):
                self.pidfds[pid] = os.pidfd_open(pid)

    def must_be_gone(self) -> None:
        """After the runtime has ended, in whatever way."""
        try:
            for pid, pidfd in self.pidfds.items():
                if not select.select([pidfd], [], [], PATIENCE)[0]:
                    raise ViolationError(f"process {pid} outlived its session: {name_of(pid)}")
            holders = [pid for pid in processes() if memory_of(pid) & self.memory]
            if holders:
                raise ViolationError(f"memory of the session is still held by {[name_of(pid) for pid in holders]}")
        finally:
            for pidfd in self.pidfds.values():
                os.close(pidfd)
        must_leave_nothing(self.place)


def must_leave_nothing(place: Place) -> None:
    """What a session could not remove, the next command does, once the engine has ended what it was asked to."""
    label = f"label=penstock.directory={place.runtime}/penstock/c"
    deadline = time.monotonic() + PATIENCE
    while True:
        swept = place.run([str(PENSTOCK), "gc"])
        if swept.returncode != 0:
            raise ViolationError(f"'penstock gc' failed: {swept.stderr}")
        left = place.docker("ps", "--all", "--quiet", "--filter", label).split()
        if not left:
            break
        if time.monotonic() > deadline:
            raise ViolationError(f"containers are left: {left}")
    if alive := place.processes():
        raise ViolationError(f"processes are left: {[name_of(pid) for pid in alive]}")
    if folders := [str(path) for path in place.runtime.glob("penstock/[cs]/*") if path.suffix != ".lock"]:
        raise ViolationError(f"folders are left: {folders}")
    listed = place.run([str(PENSTOCK), "ps"])
    if listed.returncode != 0:
        raise ViolationError(f"'penstock ps' failed afterwards: {listed.stderr}")
