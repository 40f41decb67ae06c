"""What a power cut leaves: everything dead at once, files cut short. The next commands work, and clean."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import SINK, Host, Running, container_ids, docker, in_own_image, node
from host_view import memory_of
from remains import Alive, check_next_command_cleans, engine_events, what_remains

COMMANDS = [["ps", "--json"], ["gc"], ["version"]]
# Holds a transaction of the index open, in a write-ahead log that nobody has folded into the file yet.
OPEN_TRANSACTION = """
import os, sqlite3, sys
index = sqlite3.connect(sys.argv[1], isolation_level=None)
index.execute("PRAGMA wal_autocheckpoint = 0")
index.execute("UPDATE environment SET uses = uses + 1")
index.execute("BEGIN IMMEDIATE")
index.execute("UPDATE environment SET uses = 4711")
os.kill(os.getpid(), 9)
"""


def session(host: Host, **more: object) -> None:
    host.chain(
        node("count", "Endless"),
        node("forks", "Pass", params={"fork": True}),
        node("inside", "Pass", "3.11", params={"fork": True}, **more),
        SINK,
    )


def cut(host: Host, run: Running, order: random.Random) -> Alive:
    """Kills every process of the session, first processes of containers too, before any of them can notice."""
    alive = Alive(host, run.process.pid)
    pids = [*alive.pids, run.process.pid]
    order.shuffle(pids)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, 19)  # SIGSTOP: nobody cleans up after another one
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
    run.process.wait()
    alive.wait_gone()
    return alive


def state(host: Host) -> Path:
    return host.folder / "home/state/penstock"


def run_works(host: Host, label: str = "") -> str:
    """stderr of a session that must do what it always does; with `label`, in an image of its own."""
    inside = in_own_image(host, "inside", "Pass", label) if label else node("inside", "Pass", "3.11")
    host.chain(node("few", "Few"), inside, SINK)
    result = host.run("penstock", "run", str(host.manifest))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(number) for number in range(20)]
    return result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("seed", [1, 2])
def test_everything_killed_at_once_is_cleaned_by_the_next_command(host: Host, command: list[str], seed: int) -> None:
    session(host)
    with host.start() as run:
        run.read_until(" runs")
        assert memory_of(run.process.pid)
        cut(host, run, random.Random(seed))
    check_next_command_cleans(host, *command)
    run_works(host)
    check_next_command_cleans(host, "gc")


def test_a_session_started_right_after_it_works(host: Host) -> None:
    session(host)
    with host.start() as run:
        run.read_until(" runs")
        cut(host, run, random.Random(3))
    run_works(host)
    check_next_command_cleans(host, "gc")


@pytest.mark.parametrize("reboot", [False, True], ids=["folders stayed", "folders are gone"])
def test_containers_without_an_owner_are_removed(host: Host, reboot: bool) -> None:
    """The engine was dead too, so that it did not remove what it would have removed."""
    session(host)
    with engine_events(host, "destroy") as removed, host.start() as run:
        run.read_until(" runs")
        (original,) = container_ids(host)
        inspected = json.loads(docker("inspect", original))[0]
        (entry,) = (host.runtime_directory / "penstock/c").glob("*/record.json")
        kept = shutil.copytree(entry.parent, host.folder / "entry", ignore=lambda *_: ["agent.sock", "boot"])
        cut(host, run, random.Random(4))
        assert original in map(str.strip, removed)  # by the engine, as it lives here
    labels = [f"--label={name}={value}" for name, value in inspected["Config"]["Labels"].items()]
    name = inspected["Name"].lstrip("/")
    stale = docker("create", *labels, "--name", name, "--network", "none", inspected["Image"], "true").strip()
    shutil.rmtree(host.runtime_directory / "penstock")
    if not reboot:
        shutil.copytree(kept, entry.parent)
        record = json.loads(entry.read_text())
        entry.write_text(json.dumps({**record, "container": stale}))
    assert container_ids(host, "-a") == [stale]
    run_works(host)
    assert container_ids(host, "-a") in ([stale], []), "and it is none of those that the session used"
    check_next_command_cleans(host, "gc")


def test_a_message_that_was_being_put_into_quarantine_is_swept(host: Host) -> None:
    half = state(host) / "quarantine/0198c0de-0000-7000-8000-000000000000-asr-0-7.unfinished"
    for command in (["ps"], ["quarantine", "list"], ["gc"]):
        half.mkdir(parents=True)
        (half / "message.bin").write_bytes(b"half of a mess")
        result = host.run("penstock", *command)
        assert result.returncode == 0, result.stderr
        assert not half.exists(), command
    assert what_remains(host) == {}


def uses(host: Host) -> dict[str, int]:
    connection = sqlite3.connect(state(host) / "images.sqlite")
    try:
        return dict(connection.execute("SELECT identity, uses FROM environment").fetchall())
    finally:
        connection.close()


def test_an_index_cut_in_the_middle_of_a_transaction_is_as_before_it(host: Host, image_label: str) -> None:
    run_works(host, image_label)
    (before,) = uses(host).items()
    index = state(host) / "images.sqlite"
    killed = subprocess.run([sys.executable, "-c", OPEN_TRANSACTION, str(index)], check=False)
    assert killed.returncode == -9
    assert (index.parent / "images.sqlite-wal").stat().st_size > 0
    for command in (["images", "--json"], ["ps", "--json"], ["gc"]):
        result = host.run("penstock", *command)
        assert result.returncode == 0, result.stderr
    assert "damaged" not in run_works(host, image_label)
    (after,) = uses(host).items()
    # What was committed is there, with the use by this session; what was not is not.
    assert after == (before[0], before[1] + 2)


def garbage(size: int) -> bytes:
    return random.Random(size).randbytes(max(size, 100))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda text: b"",
    "cut in half": lambda text: text[: len(text) // 2],
    "garbage": lambda text: garbage(len(text)),
    "zeros": lambda text: bytes(len(text)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_files_cut_short_harm_nobody(host: Host, image_label: str, damage: Callable[[bytes], bytes]) -> None:
    """Every file that a session and its quarantine have left is damaged, one after the other."""
    make_state(host, image_label)
    files = [path for path in state(host).rglob("*") if path.is_file() and path.stat().st_size > 0]
    assert {path.name for path in files} >= {"images.sqlite", "message.json", "message.bin"}
    assert any(path.suffix == ".jsonl" for path in files)
    for path in files:
        original = path.read_bytes()
        path.write_bytes(damage(original))
        for command in (["ps", "--json"], ["gc"], ["logs"], ["quarantine", "list", "--json"], ["images", "--json"]):
            result = host.run("penstock", *command)
            # What is damaged is left out, or made anew: these commands are about more than that.
            assert result.returncode == 0, (path, command, result.returncode, result.stderr)
        if path.name == "message.json":
            assert host.run("penstock", "quarantine", "remove", "--all").returncode == 0
            assert not path.exists(), "what cannot be listed can be removed"
    run_works(host, image_label)
    check_next_command_cleans(host, "gc")


def make_state(host: Host, label: str) -> None:
    host.chain(node("large", "Large", params={"bytes": 1000}), node("refuse", "Refuse", retry={"max_attempts": 1}))
    with host.start() as run:
        run.read_until("is in quarantine")
        run.process.terminate()
        assert run.wait() == 130
    run_works(host, label)


def test_places_of_sessions_and_containers_cut_short_harm_nobody(host: Host) -> None:
    """The runtime directory is in memory, as a rule; where it is not, its files are cut short like others."""
    session(host)
    with host.start() as run:
        run.read_until(" runs")
        cut(host, run, random.Random(5))
    home = host.runtime_directory / "penstock"
    for path in list(home.rglob("*")):
        if path.is_file() and path.stat().st_size > 0:
            path.write_bytes(garbage(path.stat().st_size))
    (home / "s" / "new-half-made").mkdir()
    (home / "c" / "new-half-made").mkdir()
    check_next_command_cleans(host, "ps")
    run_works(host)
    check_next_command_cleans(host, "gc")
