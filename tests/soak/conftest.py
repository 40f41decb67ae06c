"""Runs the real `penstock` for long, in folders of its own, so that all files in them are its."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

pytest.register_assert_rewrite("sampling", "host_view")

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
DEADLINE = 120  # seconds until a hanging command is a failed test; nothing is measured against it
# Where a run leaves its samples; see docs/reliability.
RESULTS = REPOSITORY / "build/soak"


@dataclass
class User:
    """A project folder, and runtime and state directories that nobody else has anything in."""

    project: Path
    runtime: Path
    state: Path

    @property
    def manifest(self) -> Path:
        return self.project / "pipeline.json"

    def write(self, nodes: list[dict[str, Any]], connections: list[dict[str, Any]]) -> None:
        pipeline = {"version": "v1", "metadata": {"name": "soak"}, "nodes": nodes, "connections": connections}
        self.manifest.write_text(json.dumps(pipeline))

    def environment(self) -> dict[str, str]:
        return {**os.environ, "XDG_RUNTIME_DIR": str(self.runtime), "XDG_STATE_HOME": str(self.state)}

    def penstock(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PENSTOCK), *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=self.environment(),
            check=False,
        )

    def start(self) -> Running:
        return Running(self)


class Running:
    """A `penstock run` under way, whose stderr is read line by line."""

    def __init__(self, user: User) -> None:
        self.report = user.project / "report.json"
        self.process = subprocess.Popen(
            [str(PENSTOCK), "run", str(user.manifest), "--report", str(self.report)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=user.environment(),
        )
        self.lines: list[str] = []

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.stderr.close()

    @property
    def stderr(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr

    def read_until(self, text: str) -> str:
        for line in self.stderr:
            self.lines.append(line)
            if text in line:
                return line.rstrip("\n")
        raise AssertionError(f"ended without {text!r}:\n" + "".join(self.lines))

    def wait(self) -> int:
        self.lines += self.stderr.readlines()
        return self.process.wait(DEADLINE)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    shutil.copy(HERE / "nodes.py", tmp_path / "nodes.py")
    tmp_path.chmod(0o755)  # the containers' user is another one
    runtime = Path(tempfile.mkdtemp(prefix="ps-", dir="/tmp"))  # short enough for the paths of sockets
    user = User(tmp_path, runtime, tmp_path / "state")
    try:
        yield user
        assert user.penstock("gc", "--warm").returncode == 0
    finally:
        shutil.rmtree(runtime)
