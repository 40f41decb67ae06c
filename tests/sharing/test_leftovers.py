"""Many sessions one after the other, every tenth runtime killed: nothing of them is left (SC-006)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import DEADLINE, Running, User
from host_view import Memory, holders, memory_of, started_with


def wait_for_end(container: str) -> None:
    result = subprocess.run(
        ["docker", "wait", container], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert result.returncode == 0 or "No such container" in result.stderr, result.stderr


def end(run: Running, kill: bool) -> None:
    if kill:
        run.process.kill()
        run.process.wait(DEADLINE)
    else:
        run.process.terminate()
        assert run.wait() == 130
    run.stderr.close()


def play(user: User, sessions: int) -> None:
    manifests = [user.pipeline("Endless", name=f"p{keep}", keep_warm=keep) for keep in (0, 1)]
    memory: set[Memory] = set()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(sessions):
        run = user.start(manifests[number % 2])
        run.container()
        held = memory_of(run.process.pid)
        assert {kind for kind, *_ in held} == {"realm", "memfd"}
        memory |= held
        assert run.process.pid in started_with(f"XDG_RUNTIME_DIR={user.runtime}")
        end(run, kill=number % 10 == 9)
        user.running.remove(run)
    # Nobody ends them: after their grace they are gone, and then the engine has removed them.
    for container in user.containers():
        wait_for_end(container)
    assert user.containers() == []
    # What a killed runtime could not do, the next command does: remove its folders, and what the engine still lists.
    result = user.penstock("gc")
    assert result.returncode == 0, result.stderr
    assert user.containers("-a") == []
    assert started_with(f"XDG_RUNTIME_DIR={user.runtime}") == set()
    assert holders(memory) == set()
    assert [path for path in user.runtime.glob("penstock/[cs]/*") if path.suffix != ".lock"] == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_consecutive_sessions_leave_nothing(user: User) -> None:
    play(user, 10)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_consecutive_sessions_leave_nothing(user: User) -> None:
    play(user, 100)
