"""Runs the real `penstock` on pipelines written by the tests."""

from __future__ import annotations

import json
import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
DEADLINE = 60  # seconds until a hanging run is a failed test; nothing is measured against it

NODES = '''
import ctypes, logging, os, platform, signal, sys, threading, time
from collections.abc import Iterator
import penstock
from penstock import Bytes, Json, Text


class Count(penstock.Node):
    """A source of params["n"] numbers."""

    def setup(self, params: dict) -> None:
        self.n = params.get("n", 10)

    def process(self) -> Iterator[Text]:
        for i in range(self.n):
            yield Text(str(i))


class Endless(penstock.Node):
    def process(self) -> Iterator[Text]:
        print("pid", os.getpid(), flush=True)
        i = 0
        while True:
            yield Text(str(i))
            i += 1


class Shout(penstock.Node):
    """Marks a text with where it was handled."""

    def process(self, text: Text) -> Text:
        return Text(f"{text.text}!{platform.python_version().rpartition('.')[0]}")


class Pass(penstock.Node):
    def process(self, text: Text) -> Text:
        return text


class Crash(penstock.Node):
    """Fails at message params["at"] in the way params["how"] says."""

    def setup(self, params: dict) -> None:
        self.how, self.at = params["how"], str(params.get("at", 3))
        print("pid", os.getpid(), flush=True)
        if self.how == "setup":
            raise FileNotFoundError("model.onnx")
        if self.how == "slow setup":
            threading.Event().wait()

    def process(self, text: Text) -> Text:
        if text.text == self.at:
            if self.how == "exception":
                raise ValueError("no such word")
            if self.how == "exit":
                os._exit(3)
            if self.how == "segfault":
                ctypes.string_at(0)
            if self.how == "hang":
                print("hanging", flush=True)
                threading.Event().wait()
        return text


class Chatter(penstock.Node):
    """A source that prints without end."""

    def process(self) -> Iterator[Text]:
        while not self.stop_requested:
            print("x" * 100)
        yield Text("done")


class Deaf(penstock.Node):
    """A source that never looks whether it should stop."""

    def process(self) -> Iterator[Text]:
        print("deaf", flush=True)
        threading.Event().wait()
        yield Text("never")


class Glutton(penstock.Node):
    """Takes more memory than it has."""

    def process(self, text: Text) -> Text:
        self.hoard = [bytearray(1 << 20) for _ in range(1024)]
        return text


class Path(penstock.Node):
    def process(self, text: Text) -> Text:
        return Text(os.environ["PYTHONPATH"].rpartition(":")[2])


class Talk(penstock.Node):
    def process(self, text: Text) -> Text:
        print("to stdout", text.text)
        print("to stderr", text.text, file=sys.stderr)
        logging.getLogger("talk").warning("to logging %s", text.text)
        return text


class Ids(penstock.Node):
    def process(self, text: Text) -> Text:
        return Text(f"{os.getpid()} {os.getuid()} {sorted(os.listdir('/sys/class/net'))}")
'''

SMALL_CONTAINER = {"python_version": "3.11", "resource_limits": {"memory_mb": 256, "cpu_cores": 1}}


@dataclass
class Project:
    """A folder with nodes.py and a manifest."""

    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / "pipeline.json"

    def write(
        self, nodes: list[dict[str, Any]], connections: list[tuple[str, str] | dict[str, Any]], **more: Any
    ) -> Path:
        self.manifest.write_text(
            json.dumps(
                {
                    "version": "v1",
                    "metadata": {"name": "test"},
                    "nodes": nodes,
                    "connections": [{"from": c[0], "to": c[1]} if isinstance(c, tuple) else c for c in connections],
                    **more,
                }
            )
        )
        return self.manifest

    def chain(self, *nodes: dict[str, Any]) -> Path:
        return self.write(list(nodes), [(a["id"], b["id"]) for a, b in zip(nodes, nodes[1:])])

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return penstock("run", str(self.manifest), *arguments, **options)

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> Running:
        return Running(self.manifest, *arguments, stdin=stdin)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A test that waits for a line that never comes ends here.
    for item in items:
        item.add_marker(pytest.mark.timeout(3 * DEADLINE))


def penstock(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PENSTOCK), *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        check=False,
    )


class Running:
    """A run under way, whose stderr is read line by line."""

    def __init__(self, manifest: Path, *arguments: str, stdin: int = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            [str(PENSTOCK), "run", str(manifest), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=stdin,
            text=True,
        )
        self.lines: list[str] = []

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def read_until(self, text: str) -> str:
        """The first line of stderr that contains `text`."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if text in line:
                return line.rstrip("\n")
        raise AssertionError(f"ended without {text!r}:\n" + "".join(self.lines))

    def pid_of(self, node: str) -> int:
        return int(self.read_until(f"[{node}] pid ").rpartition(" ")[2])

    def wait(self) -> int:
        assert self.process.stderr is not None
        self.lines += self.process.stderr.readlines()
        return self.process.wait(DEADLINE)


def wait_gone(pidfd: int) -> None:
    """Waits until the process behind the descriptor has ended."""
    ready, _, _ = select.select([pidfd], [], [], DEADLINE)
    assert ready, "the process is still there"


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=DEADLINE).stdout


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "nodes.py").write_text(NODES)
    tmp_path.chmod(0o755)
    return Project(tmp_path)


def node(
    id: str, cls: str, *, container: bool = False, docker: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    result: dict[str, Any] = {"id": id, "node_type": f"nodes:{cls}", **more}
    if container or docker is not None:
        # Gone with its session: what is shared and kept warm has tests of its own.
        result["docker"] = {"keep_warm": 0, **(docker or SMALL_CONTAINER)}
    return result


SINK = {"id": "sink", "node_type": "text.sink"}
