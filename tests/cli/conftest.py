"""Runs the real `penstock` as people do: in a pipe, on a terminal, with a reader that goes away."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
DEADLINE = 60  # seconds until a hanging run is a failed test; nothing is measured against it

NODES = '''
import json
import penstock
from penstock import Audio, Text


class Show(penstock.Node):
    """Sends its parameters."""

    def setup(self, params: dict) -> None:
        self.params = params

    def process(self):
        yield Text(json.dumps(self.params, sort_keys=True))


class Count(penstock.Node):
    def setup(self, params: dict) -> None:
        self.n = params.get("n", 3)

    def process(self):
        for i in range(self.n):
            yield Text(str(i))


class Endless(penstock.Node):
    def process(self):
        i = 0
        while True:
            yield Text(str(i))
            i += 1


class Shout(penstock.Node):
    def process(self, text: Text) -> Text:
        return Text(text.text.upper() + "!")


class Refuse(penstock.Node):
    """Handles every message but the first."""

    def process(self, text: Text) -> Text:
        if text.text == "0":
            raise ValueError("not this one")
        return text


class Frames(penstock.Node):
    """Says at its end how much audio it was given."""

    def setup(self, params: dict) -> None:
        self.frames = 0

    def process(self, audio: Audio) -> None:
        self.frames += len(audio.buffer)

    def finish(self) -> Text:
        return Text(f"{self.frames} frames")
'''


def penstock(
    *arguments: str, env: dict[str, str] | None = None, stdin: bytes | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(PENSTOCK), *arguments],
        capture_output=True,
        timeout=DEADLINE,
        env={**os.environ, **(env or {})},
        input=stdin if stdin is not None else b"",
        check=False,
        cwd=cwd,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def as_json(*arguments: str, env: dict[str, str] | None = None) -> Any:
    done = penstock(*arguments, "--json", env=env)
    assert done.stderr == ""
    return json.loads(done.stdout)


def on_a_terminal(*arguments: str, columns: int = 80, env: dict[str, str] | None = None) -> str:
    """What a terminal of that width is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [str(PENSTOCK), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm-256color", **(env or {})},
        close_fds=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # as Linux says that the other end is closed
        pass
    os.close(ours)
    process.wait(DEADLINE)
    return shown.decode().replace("\r\n", "\n")


@dataclass
class Project:
    """A folder with nodes.py and a manifest."""

    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / "pipeline.json"

    def chain(self, *nodes: dict[str, Any]) -> Path:
        connections = [{"from": a["id"], "to": b["id"]} for a, b in zip(nodes, nodes[1:])]
        return self.write(list(nodes), connections)

    def write(self, nodes: list[dict[str, Any]], connections: list[dict[str, Any]]) -> Path:
        pipeline = {"version": "v1", "metadata": {"name": "test"}, "nodes": nodes, "connections": connections}
        self.manifest.write_text(json.dumps(pipeline))
        return self.manifest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(3 * DEADLINE))


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What earlier runs of this user have left is not shown."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "nodes.py").write_text(NODES)
    tmp_path.chmod(0o755)
    return Project(tmp_path)


SINK = {"id": "sink", "node_type": "text.sink"}
ANY_SINK = {"id": "sink", "node_type": "json.sink"}  # takes every kind
SHOW = {"id": "show", "node_type": "nodes:Show", "params": {"model": "large", "audio": {"rate": 16000}}}
