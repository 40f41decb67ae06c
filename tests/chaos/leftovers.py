"""Nothing of a session may outlive it: processes, shared memory, containers, its places in the runtime directory."""

from __future__ import annotations

import time
from pathlib import Path

from host_view import Watched, holders, memory_of
from places import PATIENCE, Place
from sessions import PENSTOCK, Run
from violation import ViolationError


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return "ended"


class Belongings:
    """Of a session at one moment. Taken before it ends; afterwards all of it must be gone."""

    def __init__(self, run: Run) -> None:
        self.place = run.place
        self.memory = memory_of(run.pid)
        self.watched = Watched.of((holders(self.memory) | self.place.processes()) - {run.pid, run.process.pid})

    def must_be_gone(self) -> None:
        """After the runtime has ended, in whatever way."""
        try:
            self.watched.wait_gone(PATIENCE)
        except AssertionError as error:
            raise ViolationError(f"{error} after its session") from None
        if left := holders(self.memory):
            raise ViolationError(f"memory of the session is still held by {[command_of(pid) for pid in left]}")
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
        raise ViolationError(f"processes are left: {[command_of(pid) for pid in alive]}")
    if folders := [str(path) for path in place.runtime.glob("penstock/[cs]/*") if path.suffix != ".lock"]:
        raise ViolationError(f"folders are left: {folders}")
    listed = place.run([str(PENSTOCK), "ps"])
    if listed.returncode != 0:
        raise ViolationError(f"'penstock ps' failed afterwards: {listed.stderr}")
