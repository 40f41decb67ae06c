"""Whatever a user's sessions may leave on this host, and how it is cleaned."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from conftest import DEADLINE, Host, container_ids, docker
from host_view import Watched, holders, memory_of, started_with, tree

# Files that are made once and stay: locks that order what runtimes do, never a sign that one lives.
PERMANENT = re.compile(r"admission\.lock|realms|c|s|c/[^/]*\.lock")


class Alive:
    """Everything of a running session."""

    def __init__(self, host: Host, runtime: int) -> None:
        self.containers = container_ids(host)
        self.memory = memory_of(runtime)
        self.pids = tree(runtime) | holders(self.memory) | processes_of(host)
        for container in self.containers:
            with suppress(subprocess.CalledProcessError):  # removed by the engine meanwhile
                pid = main_pid(container)
                if pid != 0:
                    self.pids |= tree(pid)
        self.pids.discard(runtime)  # its parent is this process, which waits for it
        self.processes = Watched.of(self.pids)

    def wait_gone(self) -> None:
        self.processes.wait_gone(DEADLINE)
        assert holders(self.memory) == set()


@contextmanager
def engine_events(host: Host, event: str) -> Iterator[Iterator[str]]:
    """What the engine says of this user's containers; listening before anything is started."""
    arguments = ["docker", "events", "--filter", "type=container", "--filter", f"event={event}", "--format", "{{.ID}}"]
    arguments += ["--filter", f"label=penstock.user={host.uid}", "--filter", "label=penstock.node=inside"]
    # Of a moment before: what happens until the engine listens is told too.
    since = docker("info", "--format", "{{.SystemTime}}").strip()
    with subprocess.Popen([*arguments, "--since", since], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


def processes_of(host: Host) -> set[int]:
    return started_with(f"XDG_RUNTIME_DIR={host.runtime_directory}")


def main_pid(container: str) -> int:
    return int(docker("inspect", "--format", "{{.State.Pid}}", container))


def leftovers(host: Host) -> list[str]:
    """What sessions and containers have in the runtime directory; locks that order creation stay."""
    return [str(path) for path in host.runtime_directory.glob("penstock/[cs]/*") if path.suffix != ".lock"]


def unfinished(host: Host) -> list[str]:
    return [str(path) for path in (host.folder / "home/state/penstock/quarantine").glob("*.unfinished")]


def sockets(host: Host) -> list[str]:
    text = Path("/proc/net/unix").read_text()
    return [line.split()[-1] for line in text.splitlines() if str(host.folder) in line]


def mounts(host: Host) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(host.folder) in line]


def held_locks(host: Host) -> list[str]:
    """Files of this user's that somebody holds a lock of, `flock` and `fcntl` alike."""
    locked = {line.split("->")[-1].split()[4].rpartition(":")[2] for line in lines_of_locks()}
    files = [path for path in host.folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if str(path.stat().st_ino) in locked]


def lines_of_locks() -> list[str]:
    # "1: FLOCK ADVISORY WRITE 123 fe:00:4711 0 EOF"; those that wait have "->" after the number.
    return [line.replace("-> ", "") for line in Path("/proc/locks").read_text().splitlines()]


def strangers(host: Host) -> list[str]:
    """What is in the runtime directory and is none of the few files that stay."""
    home = host.runtime_directory / "penstock"
    names = [str(path.relative_to(home)) for path in home.rglob("*")]
    return [name for name in names if not PERMANENT.fullmatch(name)]


def what_remains(host: Host) -> dict[str, object]:
    """By kind, whatever is still there; empty when nothing is."""
    found: dict[str, object] = {
        "processes": processes_of(host),
        "containers": container_ids(host, "-a"),
        "entries": strangers(host),
        "half-written messages": unfinished(host),
        "sockets": sockets(host),
        "mounts": mounts(host),
        "locks": held_locks(host),
    }
    return {kind: value for kind, value in found.items() if value}


def wait_for_processes(host: Host) -> None:
    """Until all of this user's sessions have ended, which nobody makes them do but the kernel and their agents."""
    while pids := processes_of(host):
        Watched.of(pids).wait_gone(DEADLINE)


def wait_for_containers(host: Host) -> None:
    """Until those that run have ended, which nobody makes them do but themselves, and the engine has removed them."""
    socket_path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    for container in container_ids(host):
        engine = http.client.HTTPConnection("engine", timeout=DEADLINE)
        engine.sock = socket.socket(socket.AF_UNIX)
        engine.sock.settimeout(DEADLINE)
        with closing(engine):
            engine.sock.connect(socket_path)
            # `docker wait` returns when it has ended: the engine may not have removed it by then.
            engine.request("POST", f"/containers/{container}/wait?condition=removed")
            answer = engine.getresponse()
            assert answer.status in (200, 404), answer.read()
            answer.read()


def check_next_command_cleans(host: Host, *command: str, while_starting: bool = False) -> None:
    """After whatever happened: nothing runs, and `penstock COMMAND` leaves nothing of it.

    `while_starting`: the engine may have been asked for a container, and make it when this command has been; those are
    found by `penstock gc`.
    """
    wait_for_processes(host)
    wait_for_containers(host)
    result = host.run("penstock", *command)
    assert result.returncode == 0, result.stderr
    if while_starting and container_ids(host, "-a"):
        assert host.run("penstock", "gc").returncode == 0
    assert what_remains(host) == {}
