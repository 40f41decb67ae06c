"""How each system that is compared is installed, started and stopped; `stream.py` says what runs in all of them.

What is not Penstock comes from the package installer, at pinned versions, into build/rivals/NAME, once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from figures import PENSTOCK, REPOSITORY, node, write_pipeline

HERE = Path(__file__).parent
INSTALLED = REPOSITORY / "build/rivals"


class UnavailableError(Exception):
    """This system cannot be had here; the text says why."""


def install(name: str) -> Path:
    """The folder of programs of a virtual environment with requirements-NAME.txt."""
    requirements = HERE / f"requirements-{name}.txt"
    place = INSTALLED / name
    stamp = place / "installed"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        shutil.rmtree(place, ignore_errors=True)
        print(
            f"installing {' '.join(requirements.read_text().split())} into {place.relative_to(REPOSITORY)}", flush=True
        )
        for command in (
            [sys.executable, "-m", "venv", str(place)],
            [str(place / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
                raise UnavailableError(f"`{Path(command[0]).name} {command[1]}` ended with {done.returncode}: {last}")
        stamp.write_text(requirements.read_text())
    return place / "bin"


class System:
    """A pipeline source → worker → sink of one system. One at a time runs, in a folder of its own."""

    name: str
    restarts_by: str  # what its user has to write for a worker to be restarted

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, folder: Path) -> tuple[list[str], dict[str, str]]:
        """What starts the pipeline, and what it needs in its environment."""
        raise TypeError(f"{type(self).__name__} does not say how it is started")

    def start(self, folder: Path) -> None:
        command, environment = self.command(folder)
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def title(self) -> str:
        return self.name

    def has_ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None

    def stop(self) -> None:
        """Ends what still runs, also what its system has left behind: all of it is in the session begun above."""
        assert self.process is not None
        if not self.has_ended():
            self.process.send_signal(self.stops_by())
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                print(f"{self.name} does not end within 10 s of {self.stops_by().name}; it is killed", file=sys.stderr)
                self.process.kill()
                self.process.wait()
        for pid in in_session(self.process.pid):
            os.kill(pid, signal.SIGKILL)

    def stops_by(self) -> signal.Signals:
        return signal.SIGTERM


def in_session(leader: int) -> list[int]:
    """Processes of the session that `leader` has begun."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader and fields[0] not in "ZX":
            found.append(int(entry.name))
    return found


class Penstock(System):
    name = "penstock"
    restarts_by = "`on_failure: restart` at the node"

    def command(self, folder: Path) -> tuple[list[str], dict[str, str]]:
        for file in ("penstock_nodes.py", "stream.py"):
            shutil.copy(HERE / file, folder)
        params = {"folder": str(folder)}
        retry = {"max_attempts": 100, "backoff": "0s"}
        nodes = [
            node("source", "penstock_nodes:Source", params=params),
            node("worker", "penstock_nodes:Worker", params=params, on_failure="restart", retry=retry),
            node("sink", "penstock_nodes:Sink", params=params),
        ]
        edges = [{"from": "source", "to": "worker"}, {"from": "worker", "to": "sink"}]
        manifest = write_pipeline(folder, nodes, edges)
        return [str(PENSTOCK), "run", str(manifest), "--report", str(folder / "report")], {}

    def stops_by(self) -> signal.Signals:
        return signal.SIGINT


class Dora(System):
    """`dora run`, the worker with a restart policy and without a delay, inputs with its lossless queue policy."""

    name = "dora"
    restarts_by = "`restart_policy: on-failure` at the node"
    QUEUE = 1000  # messages: what may wait while a worker is restarted; ten times as many are kept with `backpressure`

    def __init__(self) -> None:
        super().__init__()
        self.programs = install("dora")

    def command(self, folder: Path) -> tuple[list[str], dict[str, str]]:
        def entry(role: str, **more: Any) -> dict[str, Any]:
            return {
                "id": role,
                "path": str(HERE / "dora_node.py"),
                "env": {"ROLE": role, "FOLDER": str(folder)},
                **more,
            }

        def of(source: str) -> dict[str, Any]:
            return {"in": {"source": source, "queue_size": self.QUEUE, "queue_policy": "backpressure"}}

        graph = {
            "nodes": [
                entry("source", outputs=["out"]),
                entry("worker", inputs=of("source/out"), outputs=["out"], restart_policy="on-failure"),
                entry("sink", inputs=of("worker/out")),
            ]
        }
        path = folder / "graph.yml"
        path.write_text(json.dumps(graph))  # which is YAML too
        environment = {"PATH": f"{self.programs}:{os.environ['PATH']}", "VIRTUAL_ENV": str(self.programs.parent)}
        return [str(self.programs / "dora"), "run", str(path)], environment

    def stops_by(self) -> signal.Signals:
        return signal.SIGINT


class Zmq(System):
    """PUSH and PULL over Unix sockets, with a high-water mark and a loop that restarts the worker."""

    name = "zmq"
    restarts_by = "a supervisor of one's own (`bench/rivals/zmq_supervisor.py`)"

    def __init__(self) -> None:
        super().__init__()
        self.programs = install("zmq")

    def command(self, folder: Path) -> tuple[list[str], dict[str, str]]:
        return [str(self.programs / "python"), str(HERE / "zmq_supervisor.py"), str(folder)], {}
