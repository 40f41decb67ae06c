"""An engine whose disk is full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import Engine, User, errors

pytestmark = [pytest.mark.engine, pytest.mark.slow]
MEGABYTE = 1 << 20
ROOM_MB = 400  # of the engine's disk


@contextmanager
def filled(engine: Engine, but: int = 0) -> Iterator[None]:
    """Its disk has room for no more than `but` bytes."""
    ballast = engine.folder / "data" / "ballast"
    try:
        with ballast.open("wb") as file:
            try:
                while True:
                    file.write(bytes(MEGABYTE))
                    file.flush()
            except OSError as full:
                assert full.strerror == "No space left on device"
        with ballast.open("r+b") as file:
            file.truncate(max(0, ballast.stat().st_size - but))
        yield
    finally:
        ballast.unlink()


def test_during_creation_it_is_one_sentence_with_the_remedy(engine: Engine, user: User) -> None:
    user.write_source()
    with filled(engine):
        result = user.run()
    assert result.returncode == 3
    assert result.stdout == ""
    (error,) = errors(result.stderr)
    assert "no space left on device" in error and "starting the container of node 'source'" in error
    assert "free space on the engine's disk ('docker system df' shows what uses it)" in error
    user.must_leave_nothing()
    assert user.must_run() != ""  # with room again


def test_during_a_build_it_is_told_and_forgotten_when_there_is_room_again(engine: Engine, user: User) -> None:
    user.write_packaged(payload=64 * MEGABYTE)
    images = engine.docker("images", "--all", "--quiet")
    with filled(engine, but=40 * MEGABYTE):
        result = user.run()
    assert result.returncode == 3, result.stderr
    assert len(errors(result.stderr)) == 1
    assert "the disk is full; 'docker system df' shows what images and containers take" in result.stderr
    user.must_leave_nothing()
    assert engine.docker("ps", "--all", "--quiet") == ""
    assert engine.docker("images", "--all", "--quiet") == images
    assert user.must_run() == "answer 1.0\n"
