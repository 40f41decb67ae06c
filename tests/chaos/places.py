"""Where a round runs: in directories of its own, and if it asks for it with a small disk, another clock or engine."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from host_view import GONE, started_with
from violation import ViolationError

PATIENCE = 60  # seconds until a pipeline that says nothing is a violation; nothing is measured against it
DISK_MB = 4

MOUNTED = """
mount -t tmpfs -o size={size}m state "$1" || exit 125
shift
exec "$@"
"""


class Place:
    """Its runtime directory is short, as sockets are below it."""

    def __init__(self, small_disk: bool = False, clock_offset_s: int = 0, engine: Any = None) -> None:
        self.runtime = Path(tempfile.mkdtemp(prefix="pc-", dir="/tmp"))
        self.state = self.runtime / "state"
        self.state.mkdir()
        self.small_disk, self.clock_offset_s, self.engine = small_disk, clock_offset_s, engine
        self.docker_host: str | None = None if engine is None else engine.host

    def environment(self, state: Path | None = None) -> dict[str, str]:
        own = {"XDG_RUNTIME_DIR": str(self.runtime), "XDG_STATE_HOME": str(state or self.state)}
        return {**os.environ, **own, **({"DOCKER_HOST": self.docker_host} if self.docker_host else {})}

    def command(self, command: list[str]) -> list[str]:
        if self.small_disk:
            script = MOUNTED.format(size=DISK_MB)
            command = ["unshare", "--mount", "sh", "-c", script, "sh", str(self.state), *command]
        if self.clock_offset_s:
            # Its first child is in the other time; a signal to unshare itself would not reach it.
            command = ["unshare", "--time", f"--monotonic={self.clock_offset_s}", "--fork", "--kill-child", *command]
        return command

    def runtime_pid(self, started: int) -> int:
        if not self.clock_offset_s:
            return started
        children = Path(f"/proc/{started}/task/{started}/children").read_text().split()
        return int(children[0]) if children else started

    def run(self, command: list[str], state: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command beside the session, of the same user; not on its small disk, unless that is `state`."""
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=self.environment(state),
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def docker(self, *arguments: str) -> str:
        host = ["--host", self.docker_host] if self.docker_host else []
        command = ["docker", *host, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def disk_of(self, pid: int) -> Path:
        """The session's state directory, as it sees it itself."""
        return Path(f"/proc/{pid}/root") / str(self.state).lstrip("/")

    def processes(self) -> set[int]:
        """Of this place's runtimes, and of what they started on the host."""
        return started_with(f"XDG_RUNTIME_DIR={self.runtime}")

    def process_with(self, path: Path) -> int:
        """The one that has this file open."""
        for pid in self.processes():
            with suppress(*GONE):
                if any(link.resolve() == path.resolve() for link in Path(f"/proc/{pid}/fd").iterdir()):
                    return pid
        raise ViolationError(f"no process has {path} open")
