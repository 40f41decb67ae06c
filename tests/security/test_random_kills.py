"""A runtime that is killed at random moments, from exec to its end: whatever it was doing, nothing of it remains.

PENSTOCK_KILLS says how many moments of each kind, PENSTOCK_KILLS_SEED which; a failure names its own. `./dev soak`
tries a hundred of each.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from conftest import DEADLINE, SINK, Host, Running, docker, in_own_image, node
from inotify import watched
from remains import Alive, check_next_command_cleans, unfinished

KILLS = int(os.environ.get("PENSTOCK_KILLS", "5"))
SEED = int(os.environ.get("PENSTOCK_KILLS_SEED", "1"))
MOMENTS = pytest.mark.parametrize(
    "seeds",
    [
        range(SEED, SEED + KILLS),
        pytest.param(range(1000, 1100), marks=[pytest.mark.soak, pytest.mark.timeout(7200)]),
    ],
    ids=["some", "many"],
)
PLACES = pytest.mark.parametrize("place", ["process", "container"])
# What comes next on a user's mind; each cleans on its way.
COMMANDS = [["version"], ["ps", "--json"], ["gc"], ["quarantine", "list"]]
LARGE = 48_000_000
RETRY = {"max_attempts": 100, "backoff": "0s"}


def chain(host: Host, place: str) -> None:
    """A pipeline that ends by itself, of processes of all kinds, with children of their own."""
    python = "3.11" if place == "container" else None
    host.chain(node("few", "Few"), node("inside", "Pass", python, params={"fork": True}), SINK)


def kill_after(host: Host, run: Running, delay: float) -> None:
    """Nothing is waited for: the moment is what is tried."""
    with suppress(subprocess.TimeoutExpired):
        run.process.wait(delay)
    run.process.send_signal(signal.SIGSTOP)  # this is the moment; what there is to watch is looked for meanwhile
    alive = Alive(host, run.process.pid)
    run.process.kill()
    run.process.wait()
    alive.wait_gone()


def try_moments(host: Host, seeds: range, span: float, kill: Callable[[float], Any]) -> None:
    """Kills at random moments within `span` seconds of what `kill` begins with, and has another command clean up."""
    for number in seeds:
        delay = random.Random(number).random() * span
        command = COMMANDS[number % len(COMMANDS)]
        try:
            kill(delay)
            check_next_command_cleans(host, *command, while_starting=True)
        except AssertionError as error:
            raise AssertionError(f"seed {number}, {delay:.3f} s of {span:.3f} s, then {command}: {error}") from error


def check_works(host: Host) -> None:
    """What is left does not harm the next session."""
    chain(host, "container")
    result = host.run("penstock", "run", str(host.manifest))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(number) for number in range(20)]
    check_next_command_cleans(host, "gc")


@PLACES
@MOMENTS
def test_a_runtime_killed_at_any_moment_leaves_nothing(host: Host, place: str, seeds: range) -> None:
    chain(host, place)
    begin = time.monotonic()
    assert host.run("penstock", "run", str(host.manifest)).returncode == 0
    span = time.monotonic() - begin

    def kill(delay: float) -> None:
        with host.start() as run:
            kill_after(host, run, delay)

    try_moments(host, seeds, span, kill)
    check_works(host)


@PLACES
@MOMENTS
def test_a_runtime_killed_while_a_node_is_restarted_leaves_nothing(host: Host, place: str, seeds: range) -> None:
    python = "3.11" if place == "container" else None
    host.chain(node("count", "Endless"), node("stumble", "Stumble", python, retry=RETRY), SINK)

    def kill(delay: float) -> None:
        with host.start() as run:
            run.read_until("is restarted at once")
            kill_after(host, run, delay)

    try_moments(host, seeds, 0.3, kill)
    check_works(host)


@PLACES
@MOMENTS
def test_a_runtime_killed_while_it_ends_its_session_leaves_nothing(host: Host, place: str, seeds: range) -> None:
    python = "3.11" if place == "container" else None
    host.chain(node("count", "Endless"), node("inside", "Pass", python, params={"fork": True}), SINK)

    def kill(delay: float) -> None:
        with host.start() as run:
            run.read_until(" runs")
            run.process.terminate()
            kill_after(host, run, delay)

    try_moments(host, seeds, 0.3, kill)
    check_works(host)


@PLACES
@MOMENTS
def test_a_runtime_killed_while_it_keeps_a_message_leaves_all_of_it_or_nothing(
    host: Host, place: str, seeds: range
) -> None:
    python = "3.11" if place == "container" else None
    quarantine = host.folder / "home/state/penstock/quarantine"
    quarantine.mkdir(parents=True)
    refuse = node("refuse", "Refuse", python, retry={"max_attempts": 1})
    host.chain(node("large", "Large", params={"bytes": LARGE}), refuse)
    halves = []

    def kill(delay: float) -> None:
        with watched(quarantine) as folder, host.start() as run:
            folder.next_name(DEADLINE)
            kill_after(host, run, delay)
        halves.extend(unfinished(host))
        kept = json.loads(host.run("penstock", "quarantine", "list", "--json").stdout)["messages"]
        assert [each["message"]["payload_bytes"] for each in kept] in ([], [LARGE])
        for each in kept:
            assert host.run("penstock", "quarantine", "remove", each["id"]).returncode == 0

    kill(0)
    try_moments(host, seeds, 0.08, kill)
    assert halves, "none of them was killed in the middle"
    check_works(host)


@MOMENTS
def test_a_runtime_killed_while_it_has_an_image_made_leaves_nothing(host: Host, image_label: str, seeds: range) -> None:
    made = f"label={image_label}"

    def kill(delay: float) -> None:
        # Another image each time, so that there is something to do.
        steps = ["USER 0", f"RUN echo {delay} >/etc/moment"]
        host.chain(node("few", "Few"), in_own_image(host, "inside", "Pass", image_label, *steps), SINK)
        with host.start() as run:
            run.read_until("environment of inside")
            kill_after(host, run, delay)

    def nothing_runs() -> None:
        # The engine ends the step that it is at by itself. Its containers that never ran it may keep: they are its own.
        for container in docker("ps", "-q", "--filter", made).split():
            with suppress(subprocess.CalledProcessError):
                docker("wait", container)
        assert docker("ps", "-q", "--filter", made) == ""

    try_moments(host, seeds, 3.0, kill)
    nothing_runs()
    check_works(host)
