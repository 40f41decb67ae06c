# ruff: noqa: PTH115, PTH116, PTH208
"""kill -9 of each part, at each phase: no process and no memory remains, and the next command removes the rest."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import DEADLINE, SINK, Host, Running, container_ids, docker, node


def memory_of(pid: int) -> set[int]:
    """Inodes of the control blocks and doorbells that a process holds or maps."""
    inodes = set()
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(entry.path).startswith("/memfd:penstock"):
                    inodes.add(os.stat(entry.path).st_ino)
            except FileNotFoundError:
                continue
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if "/memfd:penstock" in line:
                inodes.add(int(line.split()[4]))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    return inodes


def holders(memory: set[int]) -> set[int]:
    """Every process of this machine, in containers too, that has some of it."""
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and memory_of(int(name)) & memory}


def tree(root: int) -> set[int]:
    """A process and all that it started, at this moment."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def leftovers(host: Host) -> list[str]:
    """What sessions and containers have in the runtime directory; locks that order creation stay."""
    return [str(path) for path in host.runtime_directory.glob("penstock/[cs]/*") if path.suffix != ".lock"]


def main_pid(container: str) -> int:
    return int(docker("inspect", "--format", "{{.State.Pid}}", container))


class Alive:
    """Everything of a running session, watched by descriptors that no other process can take the place of."""

    def __init__(self, host: Host, run: Running) -> None:
        self.containers = container_ids(host)
        self.memory = memory_of(run.process.pid)
        pids = tree(run.process.pid) | holders(self.memory)
        for container in self.containers:
            pids |= tree(main_pid(container))
        pids.discard(run.process.pid)  # its parent is this process, which waits for it
        self.pidfds = {}
        for pid in pids:
            with suppress(ProcessLookupError):  # ended meanwhile by itself
                self.pidfds[pid] = os.pidfd_open(pid)

    def wait_gone(self) -> None:
        for pid, pidfd in self.pidfds.items():
            assert select.select([pidfd], [], [], DEADLINE)[0], f"process {pid} ({name_of(pid)}) is still there"
            os.close(pidfd)
        assert holders(self.memory) == set()


def started(host: Host, run: Running) -> Alive:
    """A session whose nodes all run, one of them with a child in a session of its own."""
    run.read_until(" runs")
    alive = Alive(host, run)
    assert alive.memory and len(alive.containers) == 1
    # Positive control: the scan sees the session's memory in the runtime and in the workers on both sides of the wall.
    assert len(holders(alive.memory) - {run.process.pid}) >= 3
    return alive


def pipeline(host: Host, **container_params: bool) -> None:
    host.chain(
        node("count", "Endless"),
        node("forks", "Pass", params={"fork": True}),
        node("inside", "Pass", "3.11", params=container_params),
        SINK,
    )


def assert_next_command_removes_the_rest(host: Host) -> None:
    for container in container_ids(host):
        with suppress(subprocess.CalledProcessError):  # removed by the engine meanwhile
            docker("wait", container)  # nobody ends it but itself
    result = host.run("penstock", "version")
    assert result.returncode == 0, result.stderr
    assert container_ids(host, "-a") == []
    assert leftovers(host) == []


@pytest.mark.parametrize("host", [1000, os.geteuid()], indirect=True, ids=["image user", "own user"])
def test_a_killed_runtime_leaves_nothing_but_a_record(host: Host) -> None:
    pipeline(host, fork=True)
    with host.start() as run:
        alive = started(host, run)
        run.process.kill()
        run.process.wait()
        alive.wait_gone()
    assert_next_command_removes_the_rest(host)


def test_a_killed_host_agent_ends_the_session(host: Host) -> None:
    pipeline(host)
    with host.start() as run:
        alive = started(host, run)
        agents = [pid for pid in children(run.process.pid) if name_of(pid) == "penstock-agent"]
        assert len(agents) == 1
        os.kill(agents[0], 9)
        run.read_until("penstock: error: the host's agent ended unexpectedly")
        assert run.wait() == 3
        alive.wait_gone()
    assert docker_records(alive) == []
    assert leftovers(host) == []


def test_a_killed_container_ends_the_session(host: Host) -> None:
    pipeline(host, fork=True)
    with host.start() as run:
        alive = started(host, run)
        os.kill(main_pid(alive.containers[0]), 9)
        run.read_until("penstock: error: the container of node 'inside' ended unexpectedly")
        assert run.wait() == 1
        alive.wait_gone()
    assert docker_records(alive) == []
    assert leftovers(host) == []


def test_a_runtime_killed_while_nodes_set_up_leaves_nothing(host: Host) -> None:
    pipeline(host, fork=True, hang=True)
    with host.start() as run:
        run.read_until("[inside] set up")
        alive = Alive(host, run)
        assert alive.memory and len(alive.containers) == 1
        run.process.kill()
        run.process.wait()
        alive.wait_gone()
    assert_next_command_removes_the_rest(host)


@pytest.mark.parametrize("event", ["create", "start"])
def test_a_runtime_killed_while_a_container_starts_leaves_nothing(host: Host, event: str) -> None:
    pipeline(host)
    with engine_events(host, event) as events, host.start() as run:
        next(events)
        alive = Alive(host, run)
        run.process.kill()
        run.process.wait()
        alive.wait_gone()
    assert_next_command_removes_the_rest(host)


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def docker_records(alive: Alive) -> list[str]:
    return [each for each in alive.containers if each in docker("ps", "-aq", "--no-trunc")]


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
