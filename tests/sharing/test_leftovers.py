"""Many sessions one after the other, every tenth runtime killed: nothing of them is left (SC-006)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import DEADLINE, Running, User

# What tells one piece of memory from all others, also from one that the kernel gives the same number later.
Memory = tuple[str, int, int, int]


def memory_of(pid: int) -> set[Memory]:
    """The control blocks, the doorbells and the realms whose descriptors a process holds."""
    held = set()
    host = Path("/").stat().st_dev
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                link, status = str(entry.readlink()), entry.stat()
            except FileNotFoundError:
                continue
            # A detached file system's root has no path but this one.
            realm = link == "/" and status.st_dev != host
            if realm or link.startswith("/memfd:penstock"):
                held.add(
                    ("realm" if realm else "memfd", status.st_dev, status.st_ino, status.st_ctime_ns if realm else 0)
                )
    except (FileNotFoundError, PermissionError):
        pass
    return held


def belongs_to(user: User, pid: int) -> bool:
    """Whether a process of the host was started by one of the user's runtimes, or by their children."""
    try:
        return f"XDG_RUNTIME_DIR={user.runtime}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return False


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


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
        assert belongs_to(user, run.process.pid)
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
    assert [pid for pid in processes() if belongs_to(user, pid)] == []
    assert [pid for pid in processes() if memory_of(pid) & memory] == []
    assert [path for path in user.runtime.glob("penstock/[cs]/*") if path.suffix != ".lock"] == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_consecutive_sessions_leave_nothing(user: User) -> None:
    play(user, 10)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_consecutive_sessions_leave_nothing(user: User) -> None:
    play(user, 100)
