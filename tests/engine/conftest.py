"""Engines of the tests' own, to be stopped, killed, filled and started again; and users who run pipelines on them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
DEADLINE = 120  # seconds until a hanging run is a failed test; nothing is measured against it
BASE = "penstock/base:3.11"
SECTION = {"python_version": "3.11", "keep_warm": 0, "resource_limits": {"memory_mb": 256, "cpu_cores": 1}}
SINK = {"id": "sink", "node_type": "text.sink"}

NODES = '''
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import penstock
from penstock import Text


class Gate(penstock.Node):
    """A source on the host: a first text, and a last one when somebody has opened the gate."""

    def process(self) -> Iterator[Text]:
        yield Text("first")
        with (Path(__file__).parent / "gate").open() as gate:
            gate.readline()
        yield Text("last")


class Pass(penstock.Node):
    def process(self, text: Text) -> Text:
        print("passes", text.text, flush=True)
        return text


class Hang(penstock.Node):
    def process(self, text: Text) -> Text:
        print("hanging", flush=True)
        threading.Event().wait()
        return text


class Where(penstock.Node):
    def process(self) -> Iterator[Text]:
        yield Text(os.uname().nodename)


class Answer(penstock.Node):
    def process(self) -> Iterator[Text]:
        import penstock_test_wheel

        yield Text(f"answer {penstock_test_wheel.VERSION}")
'''


def run_docker(host: str | None, *arguments: str) -> str:
    command = ["docker", *(["--host", host] if host else []), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


CONTAINERD = """
version = 2
root = "{folder}/data/containerd"
state = "{folder}/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{folder}/containerd.sock"
"""


class Daemon:
    """A program that says on stderr when it is ready."""

    def __init__(self, ready: str, *command: str) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if ready in line:
                break
        else:
            self.process.wait(DEADLINE)
            raise AssertionError(f"{command[0]} did not start:\n" + "".join(said[-20:]))
        # Nobody reads on: what it goes on to say must not fill the pipe.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)
        self.process.stderr.close()

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(DEADLINE)
        self.drain.wait(DEADLINE)


class Engine:
    """A Docker engine with everything of its own, in a folder.

    Its containerd is a process beside it, as it is where both are services: it outlives a dockerd that is killed.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"
        (folder / "daemon.json").write_text("{}")  # not the host's settings
        (folder / "data").mkdir(exist_ok=True)
        (folder / "containerd.toml").write_text(CONTAINERD.format(folder=folder))
        self.options = options
        self.containerd = Daemon(
            "containerd successfully booted", "containerd", "--config", str(folder / "containerd.toml")
        )
        self.start()

    def start(self) -> None:
        places = {"config-file": "daemon.json", "data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        self.dockerd = Daemon(
            "API listen on",
            # An engine that starts without a bridge removes the one that is there: it gets a network of its own.
            *("unshare", "--net"),
            "dockerd",
            f"--host={self.host}",
            f"--containerd={self.folder}/containerd.sock",
            *(f"--{option}={self.folder / name}" for option, name in places.items()),
            *("--bridge=none", "--iptables=false", "--ip6tables=false"),
            f"--storage-driver={run_docker(None, 'info', '--format', '{{.Driver}}').strip()}",
            *self.options,
        )

    def docker(self, *arguments: str) -> str:
        return run_docker(self.host, *arguments)

    def load(self, image: str) -> None:
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", "--host", self.host, "load", "--quiet"],
                stdin=saved.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
                timeout=DEADLINE,
            )

    @contextmanager
    def wedged(self) -> Iterator[None]:
        """It accepts connections and never answers."""
        self.dockerd.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.dockerd.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """In order: without live-restore it ends its containers before itself."""
        self.dockerd.end()

    def kill(self) -> None:
        self.dockerd.end(signal.SIGKILL)

    def close(self) -> None:
        """Nothing of it is left, whatever the test did."""
        try:
            if self.dockerd.ended:
                self.start()  # what its containers left is its to clean
            containers = self.docker("ps", "--all", "--quiet").split()
            if containers:
                self.docker("rm", "--force", *containers)
        finally:
            if not self.dockerd.ended:
                self.end()
            self.containerd.end()
            for mount in reversed(Path("/proc/self/mounts").read_text().splitlines()):
                target = mount.split()[1]
                if target.startswith(f"{self.folder}/"):
                    subprocess.run(["umount", "--lazy", target], check=True)


@contextmanager
def own_engine(*options: str, room_mb: int | None = None) -> Iterator[Engine]:
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("an engine of the test's own takes root and dockerd")
    # A short path: sockets below it have little room.
    with tempfile.TemporaryDirectory(prefix="penstock-engine-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        if room_mb is not None:
            size = f"size={room_mb}m"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "engine", folder / "data"], check=True)
        engine = Engine(folder, *options)
        try:
            yield engine
        finally:
            engine.close()


def make_wheel(folder: Path, payload: int) -> None:
    folder.mkdir()
    info = "penstock_test_wheel-1.0.dist-info"
    with zipfile.ZipFile(folder / "penstock_test_wheel-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("penstock_test_wheel.py", "VERSION = '1.0'\n")
        wheel.writestr("penstock_test_data.bin", bytes(payload))
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: penstock-test-wheel\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


class Running:
    """A `penstock run` under way, whose stderr is read line by line."""

    def __init__(self, user: User, *arguments: str) -> None:
        self.user = user
        self.process = subprocess.Popen(
            user.command("run", str(user.manifest), *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=user.environment,
        )
        self.lines: list[str] = []

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.stderr.close()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def stderr(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr

    @property
    def told(self) -> str:
        return "".join(self.lines)

    def read_until(self, text: str) -> str:
        for line in self.stderr:
            self.lines.append(line)
            if text in line:
                return line.rstrip("\n")
        raise AssertionError(f"ended without {text!r}:\n" + self.told)

    def wait(self) -> int:
        self.lines += self.stderr.readlines()
        return self.process.wait(DEADLINE)

    def printed(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read()


@dataclass
class User:
    """Somebody with a project folder, and directories of their own."""

    folder: Path
    runtime: Path  # short, for the paths of sockets
    host: str | None = None  # of the engine; None: the usual one
    uid: int | None = None
    more: dict[str, str] = field(default_factory=dict)
    gate: int | None = None

    @property
    def manifest(self) -> Path:
        return self.folder / "pipeline.json"

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(self.runtime / "state"),
        }
        if self.uid is not None:
            own["HOME"] = str(self.folder)
        return {**os.environ, **own, **({"DOCKER_HOST": self.host} if self.host else {}), **self.more}

    def command(self, *arguments: str) -> list[str]:
        uid = str(self.uid)
        right = [] if self.uid is None else ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]
        return [*right, str(PENSTOCK), *arguments]

    def write(self, *nodes: dict[str, Any]) -> None:
        """A chain."""
        chain = [*nodes, SINK]
        edges = [{"from": a["id"], "to": b["id"]} for a, b in zip(chain, chain[1:])]
        pipeline = {"version": "v1", "metadata": {"name": "engine"}, "nodes": chain, "connections": edges}
        self.manifest.write_text(json.dumps(pipeline))

    def write_gated(self, cls: str = "Pass", **docker: Any) -> None:
        """From a gate on the host through a container node."""
        self.write(
            {"id": "gate", "node_type": "nodes:Gate"},
            {"id": "victim", "node_type": f"nodes:{cls}", "docker": {**SECTION, **docker}},
        )

    def write_source(self, cls: str = "Where", **docker: Any) -> None:
        self.write({"id": "source", "node_type": f"nodes:{cls}", "docker": {**SECTION, **docker}})

    def write_packaged(self, payload: int = 1000) -> None:
        """With a package of that many bytes, for whose installation the engine needs no network."""
        make_wheel(self.folder / "wheels", payload)
        self.more |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.folder / "wheels")}
        self.write_source("Answer", python_packages=["penstock-test-wheel"])
        # The usual engine has network for pip itself, which is kept in a cache that both share.
        host, self.host = self.host, None
        result = self.penstock("build", str(self.manifest))
        assert result.returncode == 0, result.stderr
        for built in self.environments():
            run_docker(None, "rmi", "--force", built["image"])
        self.host = host

    def environments(self) -> list[dict[str, str]]:
        result = self.penstock("images", "list", "--json")
        assert result.returncode == 0, result.stderr
        found: list[dict[str, str]] = json.loads(result.stdout)
        return found

    def open_gate(self) -> None:
        # For reading, too: that does not wait for the source, and what it has not read yet stays.
        self.gate = os.open(self.folder / "gate", os.O_RDWR)
        os.write(self.gate, b"open\n")

    def close(self) -> None:
        if self.gate is not None:
            os.close(self.gate)

    def start(self, *arguments: str) -> Running:
        return Running(self, *arguments)

    def penstock(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def run(self) -> subprocess.CompletedProcess[str]:
        return self.penstock("run", str(self.manifest))

    def must_run(self) -> str:
        result = self.run()
        assert result.returncode == 0, result.stderr
        return result.stdout

    def processes(self) -> list[int]:
        """Of this user's runtimes and of what they started on the host."""
        mark = f"XDG_RUNTIME_DIR={self.runtime}\0".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in path.read_bytes():
                    found.append(int(path.parent.name))
        return found

    def must_leave_nothing(self) -> None:
        """A later command removes what a session could not: an engine that stood still first does what it was asked."""
        label = f"label=penstock.directory={self.runtime}/penstock/c"
        deadline = time.monotonic() + DEADLINE
        left = "not looked for yet"
        while left and time.monotonic() < deadline:
            result = self.penstock("gc", "--warm")
            assert result.returncode == 0, result.stderr
            left = run_docker(self.host, "ps", "--all", "--quiet", "--filter", label)
        assert left == ""
        assert self.processes() == []
        assert [path for path in self.runtime.glob("penstock/[cs]/*") if path.is_dir()] == []


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("penstock: error:")]


def warnings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("penstock: warning:")]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A test that waits for a line that never comes ends here.
    for item in items:
        item.add_marker(pytest.mark.timeout(3 * DEADLINE))


@pytest.fixture(scope="module")
def module_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """With the base image; its disk has the module's ROOM_MB."""
    with own_engine(room_mb=getattr(request.module, "ROOM_MB", None)) as engine:
        engine.load(BASE)
        yield engine


@pytest.fixture
def engine(module_engine: Engine, user: User) -> Engine:
    """The user's, and running, whatever a test before has done to it."""
    if module_engine.dockerd.ended:
        module_engine.start()
    user.host = module_engine.host
    return module_engine


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    (tmp_path / "nodes.py").write_text(NODES)
    os.mkfifo(tmp_path / "gate")
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)  # containers' users, and others, look into it
    with tempfile.TemporaryDirectory(prefix="pe-", dir="/tmp") as runtime:
        user = User(tmp_path, Path(runtime))
        yield user
        user.close()
