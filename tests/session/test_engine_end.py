"""What a user is told when the engine goes under a running session: with an engine of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import DEADLINE, SINK, Project, Running, node, penstock

BASE = "penstock/base:3.11"

HANG = """
import threading
from penstock import Node, Text


class Hang(Node):
    def process(self, text: Text) -> Text:
        print("hanging", flush=True)
        threading.Event().wait()
        return text
"""


class Engine:
    """A Docker engine with everything of its own, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self.runtime_directory = folder / "run"  # of who uses this engine: a short path, as sockets need
        self.runtime_directory.mkdir(mode=0o700)
        (folder / "daemon.json").write_text("{}")  # not the host's settings
        places = {"config-file": "daemon.json", "data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        self.process = subprocess.Popen(
            [
                # An engine that starts without a bridge removes the one that is there: it gets a network of its own.
                *("unshare", "--net"),
                "dockerd",
                f"--host={self.host}",
                *(f"--{option}={self.folder / name}" for option, name in places.items()),
                *("--bridge=none", "--iptables=false", "--ip6tables=false"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "API listen on" in line:
                break
        else:
            raise AssertionError("the test's own engine did not start:\n" + "".join(said[-20:]))
        # Nobody reads on: what it goes on to say must not fill the pipe.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)
        self.process.stderr.close()

    def load(self, image: str) -> None:
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(["docker", "--host", self.host, "load"], stdin=saved.stdout, check=True, timeout=DEADLINE)

    def end(self) -> None:
        """In order: it ends its containers before itself."""
        self.process.terminate()
        self.process.wait(DEADLINE)


@pytest.fixture
def engine() -> Iterator[Engine]:
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("an engine of the test's own takes root and dockerd")
    # A short path: sockets below it have little room.
    with tempfile.TemporaryDirectory(prefix="penstock-engine-") as folder:
        engine = Engine(Path(folder))
        try:
            yield engine
        finally:
            if engine.process.poll() is None:
                engine.end()
            engine.drain.wait(DEADLINE)


@pytest.fixture
def hanging(project: Project, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A pipeline whose container, in that engine, hangs in its first message."""
    (project.folder / "ends.py").write_text(HANG)
    container = {"python_version": "3.11", "resource_limits": {"memory_mb": 256, "cpu_cores": 1}}
    victim = {"id": "victim", "node_type": "ends:Hang", "docker": container}
    project.chain(node("count", "Count", params={"n": 1}), victim, SINK)
    assert penstock("build", str(project.manifest)).returncode == 0  # by the host's engine, which has more time
    engine.load(BASE)
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(engine.runtime_directory))
    return project


def test_an_engine_that_stops_under_a_session_is_told_as_the_cause(hanging: Project, engine: Engine) -> None:
    with Running(hanging.manifest) as run:
        run.read_until("[victim] hanging")
        engine.end()
        code = run.wait()
    told = "".join(run.lines)
    assert "the container of node 'victim' ended with the Docker engine, which was stopped or restarted" in told
    assert "while handling message 0 of edge count.out->victim.in" in told
    assert code in (1, 3)  # 3 when it was known at once
