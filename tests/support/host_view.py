# ruff: noqa: PTH115, PTH116, PTH208
"""What the host knows of sessions: processes, and the shared memory that they hold, in containers too."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

GONE = (FileNotFoundError, ProcessLookupError, PermissionError)

# What tells one piece of memory from all others, also from one that the kernel gives the same number later.
Memory = tuple[str, int, int, int]


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def tree(root: int) -> set[int]:
    """A process and all that it started, at this moment."""
    parents = {}
    for pid in processes():
        with suppress(*GONE):
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def started_with(assignment: str) -> set[int]:
    """Processes with this `NAME=value` in the environment that they were started with."""
    found = set()
    for pid in processes():
        with suppress(*GONE):
            if assignment.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def realm_descriptors(pid: int) -> dict[int, Path]:
    """Of the realms that a process holds, by device: where they can be looked into."""
    host, found = os.stat("/").st_dev, {}
    with suppress(*GONE):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(FileNotFoundError):
                # A detached file system's root has no path but this one.
                if os.readlink(entry.path) == "/" and os.stat(entry.path).st_dev != host:
                    found[os.stat(entry.path).st_dev] = Path(entry.path)
    return found


def realm_bytes(pid: int) -> int:
    """Memory in all realms that a process holds: pages that are really there."""
    used = 0
    for path in realm_descriptors(pid).values():
        with suppress(*GONE):
            system = os.statvfs(path)
            used += (system.f_blocks - system.f_bfree) * system.f_frsize
    return used


def memory_of(pid: int) -> set[Memory]:
    """The realms that a process holds, and the control blocks and doorbells that it holds or maps."""
    held: set[Memory] = set()
    with suppress(*GONE):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(FileNotFoundError):
                if os.readlink(entry.path).startswith("/memfd:penstock"):
                    held.add(("memfd", 0, os.stat(entry.path).st_ino, 0))
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if "/memfd:penstock" in line:
                held.add(("memfd", 0, int(line.split()[4]), 0))
    for path in realm_descriptors(pid).values():
        with suppress(*GONE):
            status = os.stat(path)
            held.add(("realm", status.st_dev, status.st_ino, status.st_ctime_ns))
    return held


def holders(memory: set[Memory]) -> set[int]:
    """Every process of this machine, in containers too, that has some of it."""
    return {pid for pid in processes() if memory_of(pid) & memory}


def resident_bytes(pid: int) -> dict[str, int]:
    """Resident memory of a process by kind: its own (`anon`), files', and shared; empty when it has gone."""
    found = {}
    with suppress(*GONE):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            for field_, name in (("RssAnon:", "anon"), ("RssFile:", "file"), ("RssShmem:", "shmem")):
                if line.startswith(field_):
                    found[name] = int(line.split()[1]) * 1024
    return found


@dataclass
class Watched:
    """Processes watched by descriptors that no other process can take the place of."""

    pidfds: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, pids: set[int]) -> Watched:
        watched = cls()
        for pid in pids:
            with suppress(ProcessLookupError):  # ended meanwhile by itself
                watched.pidfds[pid] = os.pidfd_open(pid)
        return watched

    def wait_gone(self, deadline: float) -> None:
        """Waits for the end of all; `deadline` seconds are when a test gives up, nothing is measured against it."""
        while self.pidfds:
            pid, pidfd = self.pidfds.popitem()
            try:
                if not select.select([pidfd], [], [], deadline)[0]:
                    raise AssertionError(f"process {pid} ({name_of(pid)}) is still there")
            finally:
                os.close(pidfd)
