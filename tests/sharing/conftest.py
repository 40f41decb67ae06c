"""Several runtimes of one user, with a runtime directory of their own, and what they make in the engine."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import IO, Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
DEADLINE = 120  # seconds until a hanging run is a failed test; nothing is measured against it
LIMITS = {"memory_mb": 256, "cpu_cores": 1}

NODES = """
import os
import threading
import time
from collections.abc import Iterator

import penstock
from penstock import Text


class Where(penstock.Node):
    '''Says once in which container it runs.'''

    def process(self) -> Iterator[Text]:
        yield Text(os.uname().nodename)


class Endless(penstock.Node):
    '''Says where it runs, and goes on until it is stopped.'''

    def process(self) -> Iterator[Text]:
        print("runs in", os.uname().nodename, os.getpid(), flush=True)
        while not self.stop_requested:
            yield Text("x")


class Loud(penstock.Node):
    '''Says much.'''

    def process(self) -> Iterator[Text]:
        while not self.stop_requested:
            yield Text("x" * 10000)
class Burning(penstock.Node):
    '''Fills its edge, and then computes for nothing.'''

    def process(self) -> Iterator[Text]:
        for _ in range(5):
            yield Text("x")
        print("at work: burns", flush=True)
        while not self.stop_requested:
            pass


class Standing(penstock.Node):
    def process(self, text: Text) -> None:
        print("at work: stands", flush=True)
        threading.Event().wait()


class Marked(penstock.Node):
    '''Texts with the session, its mark and a number, for so many seconds and at least a thousand.'''

    def setup(self, params: dict) -> None:
        self.mark, self.seconds = params["mark"], params["seconds"]

    def process(self) -> Iterator[Text]:
        end, number = time.monotonic() + self.seconds, 0
        while number < 1000 or time.monotonic() < end:
            yield Text(f"{self.session_id} {self.mark} {number}")
            number += 1
            time.sleep(0.001)  # the pace of a stream: ten minutes of them fit a disk


class Stamp(penstock.Node):
    '''Adds the session that it works for, its mark, and where it runs.'''

    def setup(self, params: dict) -> None:
        self.mark = params["mark"]

    def process(self, text: Text) -> Text:
        return Text(f"{text.text} {self.session_id} {self.mark} {os.uname().nodename}")


class Secret(penstock.Node):
    def process(self) -> Iterator[Text]:
        with open("/run/secrets/token") as file:
            yield Text(f"{os.uname().nodename} {file.read()}")
"""


@dataclass
class Running:
    """A `penstock run` under way."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def read_until(self, text: str) -> str:
        return self.read_until_any(text)

    def read_until_any(self, *texts: str) -> str:
        for line in self.stderr:
            self.lines.append(line)
            if any(text in line for text in texts):
                return line.rstrip("\n")
        raise AssertionError(f"ended without {texts!r}:\n" + "".join(self.lines))

    def container(self) -> str:
        return self.read_until("runs in ").split()[-2]

    def wait(self) -> int:
        self.lines += self.stderr.readlines()
        return self.process.wait(DEADLINE)

    @property
    def stderr(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr


@dataclass
class User:
    """A project folder, and a runtime directory short enough for the paths of sockets."""

    folder: Path
    runtime: Path
    running: list[Running] = field(default_factory=list)
    state: Path | None = None  # somewhere else than below the runtime directory

    def pipeline(self, cls: str = "Where", nodes: int = 1, name: str = "pipeline", **docker: Any) -> Path:
        section = {"python_version": "3.11", "resource_limits": LIMITS, **docker}
        sources = [{"id": f"n{i}", "node_type": f"nodes:{cls}", "docker": section} for i in range(nodes)]
        manifest = {
            "version": "v1",
            "metadata": {"name": name},
            "nodes": [*sources, *({"id": f"s{i}", "node_type": "text.sink"} for i in range(nodes))],
            "connections": [{"from": f"n{i}", "to": f"s{i}"} for i in range(nodes)],
        }
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(manifest))
        return path

    def command(self, *arguments: str) -> list[str]:
        return [str(PENSTOCK), *arguments]

    def penstock(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=self.environment(),
            check=False,
        )

    def run(self, manifest: Path) -> list[str]:
        """What the sinks printed."""
        result = self.penstock("run", str(manifest))
        assert result.returncode == 0, result.stderr
        return result.stdout.split()

    def start(self, manifest: Path) -> Running:
        process = subprocess.Popen(
            self.command("run", str(manifest)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self.environment(),
        )
        self.running.append(Running(process))
        return self.running[-1]

    def containers(self, *options: str) -> list[str]:
        label = f"label=penstock.directory={self.runtime}/penstock/c"
        return docker("ps", "-q", "--no-trunc", "--filter", label, *options).split()

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(self.state or self.runtime / "state"),
        }

    def close(self) -> None:
        for each in self.running:
            each.process.kill()
            each.process.wait()
            each.stderr.close()
        result = self.penstock("gc", "--warm")
        assert result.returncode == 0, result.stderr


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=DEADLINE).stdout


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(3 * DEADLINE))


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    (tmp_path / "nodes.py").write_text(NODES)
    tmp_path.chmod(0o755)  # the container's user is another one
    runtime = Path(tempfile.mkdtemp(prefix="ps-", dir="/tmp"))
    user = User(tmp_path, runtime)
    try:
        yield user
        user.close()
        assert user.containers("-a") == []
    finally:
        rmtree(runtime)
