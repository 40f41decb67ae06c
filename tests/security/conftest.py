"""Runs the real `penstock` as various users of the host."""

from __future__ import annotations

import grp
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import pytest

pytest.register_assert_rewrite("remains", "host_view", "inotify")

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
DEADLINE = 120  # seconds until a hanging run is a failed test; nothing is measured against it

SINK = {"id": "sink", "node_type": "text.sink"}


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=DEADLINE).stdout


def container_ids(host: Host, *options: str) -> list[str]:
    label = f"label=penstock.directory={host.runtime_directory}/penstock/c"
    return docker("ps", "-q", "--no-trunc", "--filter", label, *options).split()


@dataclass
class Host:
    """A user of this host with a home and a project folder of its own, all below a temporary folder."""

    uid: int
    folder: Path
    penstock: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def runtime_directory(self) -> Path:
        return self.folder / "home" / "run"

    @property
    def manifest(self) -> Path:
        return self.project / "pipeline.json"

    def as_user(self, *command: str) -> list[str]:
        if self.uid == os.geteuid():
            return list(command)
        user = ["--reuid", str(self.uid), "--regid", str(self.uid), "--groups", str(grp.getgrnam("docker").gr_gid)]
        return ["setpriv", *user, *command]

    def environment(self) -> dict[str, str]:
        home = self.folder / "home"
        own = {"HOME": str(home), "XDG_RUNTIME_DIR": str(self.runtime_directory)}
        own |= {"XDG_STATE_HOME": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")}
        # The tests' own Python may be where this user cannot go.
        return {**os.environ, **own, "PATH": "/usr/local/bin:/usr/bin:/bin"}

    def write(self, nodes: list[dict[str, Any]], connections: list[tuple[str, str]]) -> None:
        pipeline = {
            "version": "v1",
            "metadata": {"name": "security"},
            "nodes": nodes,
            "connections": [{"from": source, "to": target} for source, target in connections],
        }
        self.manifest.write_text(json.dumps(pipeline))

    def chain(self, *nodes: dict[str, Any]) -> None:
        self.write(list(nodes), [(a["id"], b["id"]) for a, b in zip(nodes, nodes[1:])])

    def run(self, *arguments: str, pass_fds: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
        """A command as this user: `run("penstock", …)` means the one under test."""
        command = [str(self.penstock), *arguments[1:]] if arguments[0] == "penstock" else list(arguments)
        return subprocess.run(
            self.as_user(*command),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            pass_fds=pass_fds,
            check=False,
        )

    def start(self) -> Running:
        return Running(self)


class Running:
    """A pipeline under way, whose stderr is read line by line."""

    def __init__(self, host: Host) -> None:
        # setpriv replaces itself: the process is the runtime.
        self.process = subprocess.Popen(
            host.as_user(str(host.penstock), "run", str(host.manifest)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=host.environment(),
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

    def wait(self) -> int:
        assert self.process.stderr is not None
        self.lines += self.process.stderr.readlines()
        return self.process.wait(DEADLINE)


def can_run(host: Host) -> bool:
    return subprocess.run(host.as_user(str(host.penstock), "--help"), capture_output=True, check=False).returncode == 0


def make_host(folder: Path, uid: int) -> Host:
    folder.chmod(0o755)
    host = Host(uid, folder, PENSTOCK)
    for name, mode in (("home", 0o700), ("home/run", 0o700), ("project", 0o755)):
        (folder / name).mkdir()
        (folder / name).chmod(mode)
    for name in ("nodes.py", "probe.py", "intrude.py", "attack.py", "scribble.py"):
        shutil.copy(HERE / name, host.project / name)
    try:
        runs = can_run(host)
    except PermissionError:
        runs = False
    if not runs:
        # A checkout in somebody's home: this user gets a copy of what is installed.
        for part in ("bin", "worker", "share", "lib/penstock"):
            if (PENSTOCK.parents[1] / part).exists():
                shutil.copytree(PENSTOCK.parents[1] / part, folder / "installed" / part)
        host.penstock = folder / "installed/bin" / PENSTOCK.name
    for path in (folder / "home", folder / "home/run", host.project, *host.project.iterdir()):
        os.chown(path, uid, uid)
    return host


@pytest.fixture
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """The user whose id is the test's parameter; else the one who runs the tests."""
    uid: Optional[int] = getattr(request, "param", None)
    if uid is None:
        uid = os.geteuid()
    if os.geteuid() not in (0, uid):
        pytest.skip(f"becoming user {uid} takes root")
    # Not tmp_path: pytest's own folder is closed to other users.
    with tempfile.TemporaryDirectory(prefix="penstock-security-") as folder:
        yield make_host(Path(folder), uid)


def node(id: str, cls: str, python: Optional[str] = None, **more: Any) -> dict[str, Any]:
    """A node of nodes.py: in a container when a Python version is given."""
    result: dict[str, Any] = {"id": id, "node_type": f"nodes:{cls}", **more}
    if python is not None:
        result["docker"] = {
            "python_version": python,
            "resource_limits": {"memory_mb": 256, "cpu_cores": 1},
            "keep_warm": 0,
        }
    return result


@pytest.fixture(scope="session")
def image_label() -> Iterator[str]:
    """A label for images that tests have made. Those that have it are removed in the end, and what was made of them."""
    label = f"penstock.test={uuid.uuid4().hex}"
    yield label
    for container in docker("ps", "--all", "--quiet", "--filter", f"label={label}").split():
        docker("rm", "--force", container)
    for image in docker("images", "--quiet", "--filter", f"label={label}").split():
        docker("rmi", "--force", image)


def in_own_image(host: Host, id: str, cls: str, label: str, *steps: str) -> dict[str, Any]:
    """A node in a container whose image is made from a Dockerfile of its own."""
    context = host.project / "image"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text("\n".join(["FROM penstock/base:3.11", f"LABEL {label}", *steps, ""]))
    result = node(id, cls, "3.11")
    result["docker"]["build"] = {"context": "image"}
    return result
