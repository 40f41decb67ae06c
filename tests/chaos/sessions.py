"""A session under way: what it says, who its processes are, and how it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inotify import DELETED, watched
from manifests import write
from pipelines import Pipeline
from places import PATIENCE, Place
from violation import ViolationError

REPOSITORY = Path(__file__).parents[2]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))


class Transcript:
    """All that a process writes to a pipe, read by a thread of its own: a full pipe would hold up what is tested."""

    def __init__(self, pipe: Any) -> None:
        self.lines: list[str] = []
        self.changed = threading.Condition()
        self.ended = False
        self.pipe = pipe
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.pipe:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def await_line(self, wanted: Callable[[str], bool], what: str, after: int = 0) -> int:
        """The index of the first line from `after` on that is wanted."""
        deadline = time.monotonic() + PATIENCE
        looked = after
        with self.changed:
            while True:
                for index in range(looked, len(self.lines)):
                    if wanted(self.lines[index]):
                        return index
                looked = len(self.lines)
                if self.ended:
                    raise ViolationError(f"it ended without {what}")
                if not self.changed.wait(deadline - time.monotonic()):
                    raise ViolationError(f"it did not say within {PATIENCE} s: {what}")

    def text(self) -> str:
        with self.changed:
            return "".join(self.lines)

    def close(self) -> None:
        self.reader.join(PATIENCE)
        self.pipe.close()


class Run:
    """A `penstock run`."""

    def __init__(self, pipeline: Pipeline, place: Place) -> None:
        self.pipeline, self.place = pipeline, place
        self.report_file = pipeline.folder / "report.json"
        command = [str(PENSTOCK), "run", str(write(pipeline)), "--report", str(self.report_file)]
        self.process = subprocess.Popen(
            place.command(command),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env=place.environment(),
        )
        self.said = Transcript(self.process.stderr)
        self.restarts: dict[str, int] = dict.fromkeys(pipeline.nodes, 0)

    @property
    def pid(self) -> int:
        """Of the runtime."""
        return self.place.runtime_pid(self.process.pid)

    def await_start(self) -> None:
        self.said.await_line(lambda line: line.startswith("session ") and line.endswith(" runs\n"), "that it runs")

    @property
    def session(self) -> str:
        index = self.said.await_line(lambda line: line.startswith("session "), "which session it is")
        return self.said.lines[index].split()[1]

    def pid_of(self, name: str) -> int:
        """Of the worker that runs now, as it said itself: of Python nodes outside containers."""
        said = f"[{name}] pid "
        pids = [line for line in self.said.lines if line.startswith(said)]
        if not pids:
            self.said.await_line(lambda line: line.startswith(said), f"the pid of {name}")
            return self.pid_of(name)
        return int(pids[-1].rpartition(" ")[2])

    def worker_of(self, name: str) -> int:
        """As the host counts, wherever it runs."""
        if self.pipeline.nodes[name].is_native:
            return self.place.process_with(self.pipeline.file_of(name))
        if name not in self.pipeline.containers:
            return self.pid_of(name)
        lines = self.docker("top", self.container_of(name), "-eo", "pid,args").splitlines()
        return int(next(line.split()[0] for line in lines if "penstock.worker" in line))

    def container_of(self, name: str) -> str:
        labels = (f"label=penstock.session={self.session}", f"label=penstock.node={name}")
        found = self.docker("ps", "-q", "--no-trunc", "--filter", labels[0], "--filter", labels[1]).split()
        if len(found) != 1:
            raise ViolationError(f"{name} has {len(found)} containers")
        return found[0]

    def docker(self, *arguments: str) -> str:
        return self.place.docker(*arguments)

    def await_restart(self, name: str, times: int = 1) -> None:
        """Until its next worker has been told to start."""
        self.restarts[name] += times
        said = f"node runs again after restart {self.restarts[name]}"
        self.said.await_line(
            lambda line: line.startswith(said + ":") and line.split()[-1] == name, f"that {name} runs again"
        )

    def await_left_out(self, name: str) -> None:
        said = f"penstock: node '{name}' is left out"
        self.said.await_line(lambda line: line.startswith(said), f"that {name} is left out")

    def await_replacement(self, name: str, after: int) -> None:
        """Until it runs in another container, however often it was restarted on the way."""
        placed = self.said.await_line(
            lambda line: line.startswith("starting containers: ") and line.split()[-1] == name,
            f"that {name} gets another container",
            after,
        )
        again = self.said.await_line(
            lambda line: line.startswith("node runs again after restart ") and line.split()[-1] == name,
            f"that {name} runs again",
            placed,
        )
        self.restarts[name] = int(self.said.lines[again].split()[-2].rstrip(":"))

    def order(self, name: str, *words: str) -> None:
        """Has the node do something when it handles its next message."""
        order = self.pipeline.shared / f"order.{name}"
        written = order.with_name(f"draft.{name}")
        written.write_text(" ".join(words))
        written.chmod(0o666)
        written.rename(order)

    def await_taken(self, name: str) -> None:
        """Until the node has read its order: it begins with it then."""
        order = self.pipeline.shared / f"order.{name}"
        ended = os.pidfd_open(self.process.pid)
        try:
            with watched(self.pipeline.shared, DELETED) as folder:
                while order.exists():
                    ready = select.select([folder.fd, ended], [], [], PATIENCE)[0]
                    if ended in ready:
                        raise ViolationError(f"it ended before {name} had another message")
                    if not ready:
                        raise ViolationError(f"{name} was sent nothing for {PATIENCE} s")
                    folder.next_name(PATIENCE)
        finally:
            os.close(ended)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit code."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise ViolationError(f"it has not ended after {PATIENCE} s") from None
        self.said.reader.join(PATIENCE)
        # unshare, which passes the signal on that its child was killed by, sometimes stumbles over that itself.
        if self.said.lines and self.said.lines[-1].startswith("unshare: sigprocmask unblock failed"):
            return -signal.SIGKILL
        return code

    def report(self) -> dict[str, Any]:
        return json.loads(self.report_file.read_text())  # type: ignore[no-any-return]

    def status(self) -> dict[str, Any]:
        """As `penstock ps` shows it now. A runtime that has no CPU may not answer in its time."""
        deadline = time.monotonic() + PATIENCE
        while True:
            told = self.penstock("ps", "--json")
            if told.returncode != 0:
                raise ViolationError(f"'penstock ps' failed: {told.stderr}")
            found = [each for each in json.loads(told.stdout)["sessions"] if each["session"] == self.session]
            if len(found) != 1:
                raise ViolationError(f"'penstock ps' shows the session {len(found)} times")
            if "edges" in found[0]:
                return found[0]  # type: ignore[no-any-return]
            if time.monotonic() > deadline:
                raise ViolationError(f"'penstock ps' has no answer: {found[0]}")

    def penstock(self, *arguments: str, state: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.place.run([str(PENSTOCK), *arguments], state)

    def close(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.kill()
        self.process.wait()
        self.said.close()
