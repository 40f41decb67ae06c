"""Sessions that run at once in the same containers: each message arrives once, in its own session (SC-007)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from conftest import DEADLINE, LIMITS, User

SESSIONS = 5


def pipeline(user: User, mark: str, seconds: int) -> Path:
    section = {"python_version": "3.11", "resource_limits": LIMITS}
    params = {"mark": mark, "seconds": seconds}
    manifest = {
        "version": "v1",
        "metadata": {"name": mark},
        "nodes": [
            {"id": "source", "node_type": "nodes:Marked", "params": params, "docker": section},
            {"id": "stamp", "node_type": "nodes:Stamp", "params": params, "docker": section},
            {"id": "sink", "node_type": "text.sink"},
        ],
        "connections": [{"from": "source", "to": "stamp"}, {"from": "stamp", "to": "sink"}],
    }
    path = user.folder / f"{mark}.json"
    path.write_text(json.dumps(manifest))
    return path


def check(mark: str, lines: Path) -> tuple[int, str]:
    """How many messages a session has got, and in which container they were stamped."""
    number, places = 0, set()
    with lines.open() as file:
        for line in file:
            sent_by, sequence, stamped_by, place = line.split()
            assert (sent_by, int(sequence), stamped_by) == (mark, number, mark), line
            number += 1
            places.add(place)
    (place,) = places
    return number, place


def play(user: User, seconds: int) -> None:
    marks = [f"session{i}" for i in range(SESSIONS)]
    runs = []
    for mark in marks:
        with (user.folder / f"{mark}.out").open("w") as out, (user.folder / f"{mark}.err").open("w") as err:
            command = user.command("run", "--quiet", str(pipeline(user, mark, seconds)))
            runs.append(subprocess.Popen(command, stdout=out, stderr=err, env=user.environment()))
    try:
        for mark, run in zip(marks, runs):
            assert run.wait(DEADLINE + seconds) == 0, (user.folder / f"{mark}.err").read_text()
    finally:
        for run in runs:
            run.kill()
            run.wait()
    results = [check(mark, user.folder / f"{mark}.out") for mark in marks]
    assert all(number >= 1000 for number, _ in results)
    # One for the source and one for the stamp; which is which, each session decides for itself.
    assert len(user.containers()) == 2, "all sessions shared them"
    assert {place for _, place in results} <= {container[:12] for container in user.containers()}


def test_concurrent_sessions_get_their_own_messages_and_all_of_them(user: User) -> None:
    play(user, seconds=2)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_ten_minutes_of_concurrent_sessions_get_their_own_messages(user: User) -> None:
    play(user, seconds=600)
