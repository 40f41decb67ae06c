"""Many sessions one after the other, every tenth runtime killed: nothing of them is left (SC-006)."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import DEADLINE, Running, User


def memory_of(pid: int) -> set[int]:
    """Inodes of the control blocks and doorbells that a process holds."""
    inodes = set()
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(entry.readlink()).startswith("/memfd:penstock"):
                    inodes.add(entry.stat().st_ino)
            except FileNotFoundError:
                continue
    except (FileNotFoundError, PermissionError):
        pass
    return inodes


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


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
    memory: set[int] = set()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(sessions):
        run = user.start(manifests[number % 2])
        run.container()
        held = memory_of(run.process.pid)
        assert held
        memory |= held
        end(run, kill=number % 10 == 9)
        user.running.remove(run)
    result = user.penstock("gc", "--warm")
    assert result.returncode == 0, result.stderr
    assert user.containers("-a") == []
    assert [pid for pid in processes() if memory_of(pid) & memory] == []
    assert [path for path in user.runtime.glob("penstock/[cs]/*") if path.suffix != ".lock"] == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_consecutive_sessions_leave_nothing(user: User) -> None:
    play(user, 10)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_consecutive_sessions_leave_nothing(user: User) -> None:
    play(user, 100)
