"""How each system that is compared is installed, started and stopped; `stream.py` says what runs in all of them.

What is not Penstock comes from the package installer, at pinned versions, into build/rivals/NAME, once.
"""

from __future__ import annotations

import abc
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from figures import PENSTOCK, REPOSITORY, container_of, node, process_in, write_pipeline

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


class System(abc.ABC):
    """A pipeline source → worker → sink of one system. One at a time runs, in a folder of its own."""

    name: str
    title: str
    restarts_by: str  # what its user has to write for a worker to be restarted

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    @abc.abstractmethod
    def command(self, folder: Path) -> tuple[list[str], dict[str, str]]:
        """What starts the pipeline, and what it needs in its environment."""

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

    def worker(self, folder: Path) -> tuple[int, int]:
        """Incarnation of the worker that runs, and its process id as this host counts."""
        incarnation, pid = (folder / "worker").read_text().split()
        return int(incarnation), int(pid)

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
    title = "Penstock, processes"
    restarts_by = "`on_failure: restart` at the node"

    def command(self, folder: Path) -> tuple[list[str], dict[str, str]]:
        for file in ("penstock_nodes.py", "stream.py"):
            shutil.copy(HERE / file, folder)
        params = {"folder": str(folder)}
        nodes = [
            node("source", "penstock_nodes:Source", params=params),
            self.worker_node(folder),
            node("sink", "penstock_nodes:Sink", params=params),
        ]
        edges = [{"from": "source", "to": "worker"}, {"from": "worker", "to": "sink"}]
        manifest = write_pipeline(folder, nodes, edges)
        return [str(PENSTOCK), "run", str(manifest), "--report", str(folder / "report")], {}

    def worker_node(self, folder: Path) -> dict[str, Any]:
        return node("worker", "penstock_nodes:Worker", params={"folder": str(folder)}, **self.RESTART)

    RESTART: ClassVar[dict[str, Any]] = {"on_failure": "restart", "retry": {"max_attempts": 100, "backoff": "0s"}}

    def stops_by(self) -> signal.Signals:
        return signal.SIGINT


class PenstockContainer(Penstock):
    """The same with its worker in a container, which stays when the worker is killed."""

    name = "penstock_container"
    title = "Penstock, worker in a container"

    def __init__(self) -> None:
        super().__init__()
        self.first_process = 0

    def start(self, folder: Path) -> None:
        self.first_process = 0
        folder.chmod(0o777)  # the container's user writes there
        super().start(folder)

    def worker_node(self, folder: Path) -> dict[str, Any]:
        worker = node("worker", "penstock_nodes:Worker", python="3.11", params={"folder": "/meeting"}, **self.RESTART)
        worker["docker"]["volumes"] = [{"host_path": str(folder), "container_path": "/meeting"}]
        return worker

    def worker(self, folder: Path) -> tuple[int, int]:
        incarnation, inside = super().worker(folder)
        if not self.first_process:
            lines = (folder / "output").read_text().splitlines()
            session = next(line.split()[1] for line in lines if line.startswith("session "))
            self.first_process = container_of(session, "worker")
        # Not there: it is gone, and its successor has not come yet.
        return incarnation, process_in(self.first_process, inside) or 0


class Dora(System):
    """`dora run`, the worker with a restart policy and without a delay, inputs with its lossless queue policy."""

    name = "dora"
    title = "dora 1.1.0"
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
    title = "ZeroMQ (pyzmq 27.3.0), PUSH/PULL"
    restarts_by = "a supervisor of one's own (`bench/rivals/zmq_supervisor.py`)"

    def __init__(self) -> None:
        super().__init__()
        self.programs = install("zmq")

    def command(self, folder: Path) -> tuple[list[str], dict[str, str]]:
        return [str(self.programs / "python"), str(HERE / "zmq_supervisor.py"), str(folder)], {}
