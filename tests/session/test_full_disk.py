"""A full disk under what Penstock keeps: one sentence that says what to free, nothing half done, and work once there is
room again. The session's log has tests of its own (tests/logs/test_losses.py)."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import SINK, SMALL_CONTAINER, Project, node, penstock

FULL = "No space left on device"
SMALL = 1 << 20
LARGE = 8 << 20
NODES = """
from collections.abc import Iterator
import penstock
from penstock import Bytes, Text


class Large(penstock.Node):
    def setup(self, params: dict) -> None:
        self.bytes = params["bytes"]

    def process(self) -> Iterator[Bytes]:
        yield Bytes(bytes(self.bytes))


class Refuse(penstock.Node):
    def process(self, message: Bytes) -> None:
        raise ValueError("not this one")


class Count(penstock.Node):
    def process(self) -> Iterator[Text]:
        for number in range(10):
            yield Text(str(number))


class Long(penstock.Node):
    def process(self) -> Iterator[Text]:
        for _ in range(100):
            yield Text("x" * 100_000)


class Pass(penstock.Node):
    def process(self, text: Text) -> Text:
        return text
"""


@dataclass
class Disk:
    """A small file system."""

    folder: Path

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Neither a byte nor a name is free on it."""
        ballast = self.folder / "ballast"
        ballast.mkdir()
        try:
            with (ballast / "bytes").open("wb", buffering=0) as file, pytest.raises(OSError, match=FULL):
                while True:
                    file.write(bytes(4096))
            with pytest.raises(OSError, match=FULL):
                for number in itertools.count():
                    (ballast / str(number)).mkdir()
            yield
        finally:
            shutil.rmtree(ballast)

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def disk() -> Iterator[Disk]:
    folder = Path(tempfile.mkdtemp(prefix="ps-", dir="/tmp"))  # short enough for the paths of sockets
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={4 * SMALL},nr_inodes=500", "penstock-test", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("a small disk can only be mounted by root: " + mounted.stderr.decode().strip())
    yield Disk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture
def project(project: Project) -> Project:
    (project.folder / "nodes.py").write_text(NODES)
    return project


def errors(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("penstock: error: ")]


def test_a_message_too_large_for_the_disk_is_not_kept_in_part(project: Project, disk: Disk) -> None:
    state = {"XDG_STATE_HOME": str(disk.folder)}
    refuse = node("refuse", "Refuse", retry={"max_attempts": 1})
    project.chain(node("large", "Large", params={"bytes": LARGE}), refuse)
    result = project.run(env=state)
    assert result.returncode == 3, result.stderr
    (error,) = errors(result.stderr)
    assert FULL in error and "quarantine" in error and "edge large.out->refuse.in" in error
    assert [name for name in disk.files() if "message" in name] == []
    project.chain(node("large", "Large", params={"bytes": SMALL}), refuse)
    result = project.run(env=state)
    assert result.returncode == 0, result.stderr
    (kept,) = json.loads(penstock("quarantine", "list", "--json", env=state).stdout)["messages"]
    assert kept["message"]["payload_bytes"] == SMALL


def test_a_quarantine_that_holds_what_it_may_ends_the_session_until_it_is_cleared(
    project: Project, tmp_path: Path
) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "PENSTOCK_QUARANTINE_SIZE": "64KiB"}
    refuse = node("refuse", "Refuse", retry={"max_attempts": 1})
    project.chain(node("large", "Large", params={"bytes": 48 << 10}), refuse)
    assert project.run(env=state).returncode == 0
    full = project.run(env=state)
    assert full.returncode == 3, full.stderr
    (error,) = errors(full.stderr)[:1]
    assert "edge large.out->refuse.in" in error and "penstock quarantine remove" in error, error
    assert len(json.loads(penstock("quarantine", "list", "--json", env=state).stdout)["messages"]) == 1
    assert project.run("--quarantine-size", "1MiB", env=state).returncode == 0
    assert penstock("quarantine", "remove", "--all", env=state).returncode == 0
    assert project.run(env=state).returncode == 0


@pytest.mark.parametrize("sink", ["text.sink", "json.sink"])
def test_a_disk_without_room_for_a_sink_is_no_fault_of_a_message(
    project: Project, disk: Disk, tmp_path: Path, sink: str
) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    path = disk.folder / "out"
    project.chain(
        node("long", "Long"),
        {"id": "sink", "node_type": sink, "params": {"path": str(path)}, "retry": {"max_attempts": 1, "backoff": "0s"}},
    )
    result = project.run(env=state)
    assert result.returncode == 3, result.stderr
    error = errors(result.stderr)[0]
    assert f"node 'sink' failed by no fault of a message: cannot write to '{path}': {FULL}" in error
    assert f"the disk mounted at '{disk.folder}' has 0 of 4 MB free: make room there" in error
    assert "is restarted" not in result.stderr
    assert path.read_text().endswith("\n"), "no line is there in part"
    assert json.loads(penstock("quarantine", "list", "--json", env=state).stdout)["messages"] == []


def test_a_session_runs_whose_state_has_no_room(project: Project, disk: Disk) -> None:
    project.chain(node("count", "Count"), node("pass", "Pass"), SINK)
    with disk.filled():
        result = project.run(env={"XDG_STATE_HOME": str(disk.folder)})
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(number) for number in range(10)]
    assert "log" in result.stderr, "and its user is told that there is none"


def test_an_image_index_without_room_is_told_and_works_again_later(project: Project, disk: Disk) -> None:
    state = {"XDG_STATE_HOME": str(disk.folder)}
    custom = {**SMALL_CONTAINER, "base_image": "penstock/base:3.11"}
    project.chain(node("count", "Count"), node("pass", "Pass", docker=custom), SINK)
    with disk.filled():
        result = project.run(env=state)
    assert result.returncode == 3, result.stderr
    (error,) = errors(result.stderr)
    assert str(disk.folder) in error and ("full" in error or FULL in error), error
    result = project.run(env=state)
    assert result.returncode == 0, result.stderr
    assert "damaged" not in result.stderr
    listed = penstock("images", "--json", env=state)
    assert listed.returncode == 0, listed.stderr


@pytest.mark.parametrize("container", [False, True], ids=["process", "container"])
def test_a_runtime_directory_without_room_is_told_and_nothing_is_left(
    project: Project, disk: Disk, container: bool
) -> None:
    place = {"XDG_RUNTIME_DIR": str(disk.folder)}
    project.chain(node("count", "Count"), node("pass", "Pass", container=container), SINK)
    assert penstock("ps", env=place).returncode == 0  # makes what is there of old
    with disk.filled():
        result = project.run(env=place)
        assert result.returncode == 3, result.stderr
        (error,) = errors(result.stderr)
        assert str(disk.folder) in error and FULL in error, error
        assert penstock("ps", env=place).returncode == 0
    assert list(disk.folder.glob("penstock/[cs]/*")) == []
    result = project.run(env=place)
    assert result.returncode == 0, result.stderr
    assert penstock("gc", env=place).returncode == 0
    assert [name for name in disk.files() if not name.endswith(".lock") and name != "penstock/realms"] == []
