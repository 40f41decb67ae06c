"""What runs is seen, ended and cleaned by commands of other processes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from contextlib import suppress
from pathlib import Path
from typing import Any

from conftest import DEADLINE, LIMITS, REPOSITORY, User, docker


def test_ps_shows_sessions_and_containers(user: User) -> None:
    run = user.start(user.pipeline("Endless", name="talk"))
    place = run.container()
    shown = json.loads(user.penstock("ps", "--json").stdout)
    (session,) = shown["sessions"]
    assert session["pipeline"] == "talk"
    assert session["phase"] == "running"
    assert session["pid"] == run.process.pid
    assert [node["id"] for node in session["nodes"]] == ["n0", "s0"]
    (container,) = shown["containers"]
    assert container["container"].startswith(place)
    assert container["sessions"] == [session["session"]]
    text = user.penstock("ps").stdout
    assert session["session"] in text
    assert "n0.out->s0.in" in text


def test_ps_tells_a_warm_container_from_one_in_use(user: User) -> None:
    user.run(user.pipeline())
    shown = json.loads(user.penstock("ps", "--json").stdout)
    assert shown["sessions"] == []
    assert [container["state"] for container in shown["containers"]] == ["warm"]


def slow_consumer(user: User) -> Path:
    """A source that burns CPU into a node that takes the first message and stands still."""
    section = {"python_version": "3.11", "resource_limits": LIMITS, "keep_warm": 0}
    manifest = {
        "version": "v1",
        "metadata": {"name": "slow"},
        "nodes": [
            {"id": "busy", "node_type": "nodes:Burning", "docker": section},
            {"id": "still", "node_type": "nodes:Standing", "docker": section},
        ],
        "connections": [{"from": "busy", "to": "still", "depth": 5}],
    }
    path = user.folder / "slow.json"
    path.write_text(json.dumps(manifest))
    return path


def test_ps_shows_memory_cores_and_queues_against_their_limits(user: User) -> None:
    run = user.start(slow_consumer(user))
    run.read_until("at work: ")
    run.read_until("at work: ")
    shown = json.loads(user.penstock("ps", "--json").stdout)
    busy, still = shown["sessions"][0]["nodes"]
    for node in (busy, still):
        assert 1 << 20 < node["memory_bytes"] <= node["peak_memory_bytes"] <= node["memory_limit_bytes"] == 256 << 20
        assert node["cpu_limit_cores"] == 1
    # One burns what it gets, which on a loaded host may be little; one sleeps.
    assert 0.1 < busy["cpu_cores"] < 1.5
    assert 0 <= still["cpu_cores"] < 0.1
    # Five are reserved, the credit of the edge, and the first of them has been taken.
    (edge,) = shown["sessions"][0]["edges"]
    assert (edge["queued"], edge["depth"]) == (4, 5)
    assert (busy["queued"], still["queued"]) == (0, 4)
    row = next(line for line in user.penstock("ps").stdout.splitlines() if line.startswith("  still "))
    assert re.search(r" \d+ of 256 MB  +\d+ MB  0\.0\d of 1  4 ", row), row


def test_ps_as_json_has_the_fields_that_are_documented(user: User) -> None:
    user.start(user.pipeline("Endless")).container()
    shown = json.loads(user.penstock("ps", "--json").stdout)
    objects = {
        "session": shown["sessions"][0],
        "node": shown["sessions"][0]["nodes"][0],
        "edge": shown["sessions"][0]["edges"][0],
        "container": shown["containers"][0],
    }
    page = (REPOSITORY / "docs/ps.md").read_text(encoding="utf-8")
    for name, shown_object in objects.items():
        table = re.search(rf"\| field of an? {name} .*\n\|---\|---\|\n((?:\|.*\n)+)", page)
        assert table is not None, name
        fields = [field for row in table[1].splitlines() for field in re.findall(r"`(\w+)`", row.split("|")[1])]
        assert fields and set(fields) <= set(shown_object), name


def test_ps_fits_the_terminal(user: User) -> None:
    user.start(user.pipeline("Endless", name="talk")).container()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 72, 0, 0))
    result = subprocess.run(user.command("ps"), stdout=theirs, timeout=DEADLINE, env=user.environment(), check=True)
    os.close(theirs)
    assert result.returncode == 0
    text = b""
    # A terminal whose other side is closed reads as an error once it is empty.
    with suppress(OSError):
        while part := os.read(ours, 65536):
            text += part
    os.close(ours)
    tables = [line for line in text.decode().splitlines() if line.startswith("  ")]
    assert len(tables) == 5
    assert all(len(line) <= 72 for line in tables), tables
    assert any("…" in line for line in tables)


def test_stop_ends_a_session_in_order(user: User) -> None:
    first, second = user.start(user.pipeline("Endless")), user.start(user.pipeline("Endless"))
    first.container()
    second.container()
    sessions = [each["session"] for each in json.loads(user.penstock("ps", "--json").stdout)["sessions"]]
    result = user.penstock("stop", sessions[0])
    assert result.returncode == 0, result.stderr
    left = json.loads(user.penstock("ps", "--json").stdout)["sessions"]
    assert [each["session"] for each in left] == sessions[1:]
    assert user.penstock("stop", "--all").returncode == 0
    assert {first.wait(), second.wait()} == {130}


def test_stop_says_how_long_it_has_waited(user: User) -> None:
    run = user.start(slow_consumer(user))
    run.read_until("at work: ")
    run.read_until("at work: ")
    (session,) = json.loads(user.penstock("ps", "--json").stdout)["sessions"]
    result = user.penstock("stop", session["session"], "--timeout", "1")
    assert result.returncode == 1
    assert result.stderr == (
        f"penstock: error: session {session['session']} has not ended within 1 s; --now ends it without waiting for "
        "what is in flight\n"
    )
    assert user.penstock("stop", session["session"], "--now").returncode == 0


def test_stop_says_what_it_does_not_know(user: User) -> None:
    result = user.penstock("stop", "nobody")
    assert result.returncode == 2
    assert "no session that runs begins with 'nobody'" in result.stderr
    assert user.penstock("stop").returncode == 2
    assert "no session runs" in user.penstock("stop", "--all").stdout


def test_gc_removes_what_a_killed_runtime_left_and_spares_what_is_in_use(user: User) -> None:
    user.start(user.pipeline("Endless", name="alive")).container()
    dead = user.start(user.pipeline("Endless", name="dead", keep_warm=0, env={"A": "1"}))
    place = dead.container()
    dead.process.kill()
    dead.process.wait()
    result = user.penstock("gc")
    assert result.returncode == 0, result.stderr
    left = [docker("inspect", "--format", "{{.Config.Hostname}}", each).strip() for each in user.containers()]
    assert len(left) == 1
    assert place not in left


def test_gc_ends_warm_containers_only_when_asked(user: User) -> None:
    user.run(user.pipeline())
    assert user.penstock("gc").returncode == 0
    assert len(user.containers()) == 1
    assert user.penstock("gc", "--warm").returncode == 0
    assert user.containers("-a") == []


def test_gc_removes_a_warm_container_that_does_not_answer_and_counts_it(user: User) -> None:
    user.run(user.pipeline())
    user.run(user.pipeline(env={"A": "1"}))
    stuck = user.containers()[0]
    docker("pause", stuck)
    result = user.penstock("gc")
    assert (result.returncode, result.stdout) == (0, "removed 1 container\n"), result.stderr
    left = user.containers("-a")
    assert len(left) == 1 and stuck not in left


def test_gc_does_not_count_what_went_by_itself(user: User) -> None:
    user.run(user.pipeline())
    docker("rm", "-f", *user.containers())
    assert user.penstock("gc").stdout == "removed 0 containers\n"
    assert list((user.runtime / "penstock" / "c").glob("*-*")) == []


def test_a_container_of_a_session_that_does_not_answer_is_not_shown_as_warm(user: User) -> None:
    run = user.start(user.pipeline("Endless"))
    run.container()
    run.process.send_signal(signal.SIGSTOP)
    try:
        shown = json.loads(user.penstock("ps", "--json").stdout)
    finally:
        run.process.send_signal(signal.SIGCONT)
    assert [session["phase"] for session in shown["sessions"]] == ["does not answer"]
    assert [container["state"] for container in shown["containers"]] == ["leased"]


def test_stop_now_ends_a_session_whose_terminal_stands_still(user: User) -> None:
    """Nobody reads from the terminal, and what is left to show does not fit into it."""
    terminal, inside = pty.openpty()
    manifest = user.pipeline("Loud")
    with subprocess.Popen(
        user.command("run", str(manifest)), stdout=inside, stderr=inside, stdin=inside, env=user.environment()
    ) as process:
        os.close(inside)
        try:
            sessions: list[Any] = []
            while not sessions or sessions[0]["edges"][0]["sent"] < 100:  # a megabyte: no terminal takes that unread
                sessions = json.loads(user.penstock("ps", "--json").stdout)["sessions"]
            result = user.penstock("stop", "--now", sessions[0]["session"])
            assert result.returncode == 0, result.stderr
            assert process.wait(DEADLINE) == 130
        finally:
            process.kill()
            os.close(terminal)
