"""Sessions that run at once, of three containers each: each message arrives once, in its own session (SC-007).

PENSTOCK_SOAK_MINUTES shortens the ten minutes of `./dev soak`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import DEADLINE, User

SESSIONS = 5
NODES = ["source", "first", "second"]
LIMITS = {"memory_mb": 256, "cpu_cores": 1, "pids": 64}
SOAK_SECONDS = int(60 * min(10.0, float(os.environ.get("PENSTOCK_SOAK_MINUTES", "10"))))
SHARING = pytest.mark.parametrize("sharing", ["shared", "exclusive"])


def pipeline(user: User, mark: str, seconds: int, sharing: str) -> Path:
    section = {"python_version": "3.11", "resource_limits": LIMITS, "sharing": sharing}
    params = {"mark": mark, "seconds": seconds}
    kinds = ["Marked", "Stamp", "Stamp"]
    manifest = {
        "version": "v1",
        "metadata": {"name": mark},
        "nodes": [
            *(
                {"id": id, "node_type": f"nodes:{kind}", "params": params, "docker": section}
                for id, kind in zip(NODES, kinds)
            ),
            {"id": "sink", "node_type": "text.sink"},
        ],
        "connections": [{"from": a, "to": b} for a, b in zip(NODES, [*NODES[1:], "sink"])],
    }
    path = user.folder / f"{mark}.json"
    path.write_text(json.dumps(manifest))
    return path


def check(user: User, mark: str) -> tuple[int, str, set[str]]:
    """How many messages a session has got, its id, and in which containers they were stamped."""
    session = json.loads((user.folder / f"{mark}.report").read_text())["session"]
    number, places = 0, set()
    with (user.folder / f"{mark}.out").open() as file:
        for line in file:
            sent_in, sent_by, sequence, *stamps = line.split()
            assert (sent_in, sent_by, int(sequence)) == (session, mark, number), line
            assert len(stamps) == 6 and stamps[:2] == stamps[3:5] == [session, mark], line
            number += 1
            places |= {stamps[2], stamps[5]}
    return number, session, places


def play(user: User, seconds: int, sharing: str) -> None:
    marks = [f"session{i}" for i in range(SESSIONS)]
    runs = []
    for mark in marks:
        manifest = pipeline(user, mark, seconds, sharing)
        report = str(user.folder / f"{mark}.report")
        with (user.folder / f"{mark}.out").open("w") as out, (user.folder / f"{mark}.err").open("w") as err:
            command = user.command("run", "--quiet", str(manifest), "--report", report)
            runs.append(subprocess.Popen(command, stdout=out, stderr=err, env=user.environment()))
    try:
        for mark, run in zip(marks, runs):
            assert run.wait(DEADLINE + seconds) == 0, (user.folder / f"{mark}.err").read_text()
    finally:
        for run in runs:
            run.kill()
            run.wait()
    results = [check(user, mark) for mark in marks]
    assert all(number >= 1000 for number, _, _ in results)
    assert len({session for _, session, _ in results}) == SESSIONS
    assert all(len(places) == 2 for _, _, places in results), "the stamps of a session were in two containers"
    places = set().union(*(places for _, _, places in results))
    if sharing == "shared":
        # One for each of a session's nodes; which is which, each session decides for itself.
        assert len(user.containers()) == 3, "all sessions shared them"
        assert places <= {container[:12] for container in user.containers()}
    else:
        assert len(places) == 2 * SESSIONS, "no session was in a container of another one"


@SHARING
def test_concurrent_sessions_get_their_own_messages_and_all_of_them(user: User, sharing: str) -> None:
    play(user, 2, sharing)


@pytest.mark.soak
@pytest.mark.timeout(2400)
@SHARING
def test_ten_minutes_of_concurrent_sessions_get_their_own_messages(user: User, sharing: str) -> None:
    play(user, SOAK_SECONDS, sharing)
