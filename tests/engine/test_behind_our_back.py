"""Images and containers that somebody else removes."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from conftest import Engine, User, errors

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture
def packaged(engine: Engine, user: User) -> User:
    user.write_packaged()
    return user


@contextmanager
def no_container_is_made(user: User) -> Iterator[None]:
    """Whoever is to make one waits, as if another session made the same."""
    folder = user.runtime / "penstock" / "c"
    with ExitStack() as held:
        locks = sorted(folder.glob("*.lock"))
        assert locks
        for path in locks:
            fcntl.flock(held.enter_context(path.open()), fcntl.LOCK_EX)
        yield


def test_an_image_removed_between_two_sessions_is_made_again(engine: Engine, packaged: User) -> None:
    assert packaged.must_run() == "answer 1.0\n"
    (before,) = packaged.environments()
    engine.docker("rmi", "--force", before["image"])
    assert packaged.environments() == []
    assert packaged.must_run() == "answer 1.0\n"
    (after,) = packaged.environments()
    assert (after["identity"], after["state"]) == (before["identity"], "available")
    packaged.must_leave_nothing()


def test_an_image_removed_between_plan_and_start_is_made_again(engine: Engine, packaged: User) -> None:
    assert packaged.must_run() == "answer 1.0\n"  # and there is a lock for containers of its kind
    (before,) = packaged.environments()
    with ExitStack() as held:
        held.enter_context(no_container_is_made(packaged))
        run = packaged.start()
        run.read_until("waiting for another session that starts the same container")
        engine.docker("rmi", "--force", before["image"])
    with run:
        run.read_until("the image was removed meanwhile; making it again")
        assert run.wait() == 0, run.told
        assert run.printed() == "answer 1.0\n"
    assert errors(run.told) == []
    assert [entry["state"] for entry in packaged.environments()] == ["available"]
    packaged.must_leave_nothing()


def test_a_container_removed_while_it_runs_is_told_once(engine: Engine, user: User) -> None:
    user.write_gated("Hang")
    with user.start() as run:
        run.read_until("[victim] hanging")
        engine.docker("rm", "--force", *engine.docker("ps", "--quiet").split())
        assert run.wait() == 1
    (error,) = errors(run.told)
    assert "the container of node 'victim'" in error
    assert "somebody had the engine send it signal 9 (SIGKILL)" in run.told or "was killed from outside" in run.told
    user.must_leave_nothing()


def test_a_container_removed_while_it_is_warm_is_replaced(engine: Engine, user: User) -> None:
    user.write_source(keep_warm="10m")
    before = user.must_run()
    engine.docker("rm", "--force", *engine.docker("ps", "--quiet").split())
    after = user.must_run()
    assert after != before
    assert len(engine.docker("ps", "--all", "--quiet").split()) == 1
    user.must_leave_nothing()
