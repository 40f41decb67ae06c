"""kill -9 of each part, at each phase: no process and no memory remains, and the next command removes the rest."""

from __future__ import annotations

import os

import pytest
from conftest import SINK, Host, Running, container_ids, docker, node
from host_view import children, holders, name_of
from remains import Alive, engine_events, leftovers, main_pid, wait_for_containers


def started(host: Host, run: Running) -> Alive:
    """A session whose nodes all run, one of them with a child in a session of its own."""
    run.read_until(" runs")
    alive = Alive(host, run.process.pid)
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
    wait_for_containers(host)
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
        alive = Alive(host, run.process.pid)
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
        alive = Alive(host, run.process.pid)
        run.process.kill()
        run.process.wait()
        alive.wait_gone()
    assert_next_command_removes_the_rest(host)


def docker_records(alive: Alive) -> list[str]:
    return [each for each in alive.containers if each in docker("ps", "-aq", "--no-trunc")]
