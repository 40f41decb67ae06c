"""An engine that stops, or is restarted, under running sessions."""

from __future__ import annotations

import pytest
from conftest import BASE, Engine, User, errors, own_engine, warnings

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def test_an_engine_that_stops_under_a_session_is_told_as_the_cause(engine: Engine, user: User) -> None:
    user.write_gated("Hang")
    with user.start() as run:
        run.read_until("[victim] hanging")
        engine.end()
        code = run.wait()
    assert "the container of node 'victim' ended with the Docker engine, which was stopped or restarted" in run.told
    assert "while handling message 0 of edge gate.out->victim.in" in run.told
    assert code in (1, 3)  # 3 when it was known at once
    engine.start()
    user.must_leave_nothing()


def test_a_pipeline_goes_on_without_the_engine_while_its_containers_live(engine: Engine, user: User) -> None:
    user.write_gated()
    with user.start() as run:
        run.read_until("[victim] passes first")
        engine.kill()
        run.read_until("the Docker engine's stream of events ended")
        user.open_gate()
        code = run.wait()
        assert code == 0, run.told
        assert run.printed() == "first\nlast\n"
    told = warnings(run.told)
    assert len(told) == 2, run.told
    assert "is not running" in told[1] and "the next penstock command removes what is left" in told[1]
    engine.start()
    user.must_leave_nothing()


def test_an_engine_that_was_killed_ends_the_containers_that_it_finds_when_it_starts(engine: Engine, user: User) -> None:
    user.write_gated("Hang")
    with user.start() as run:
        run.read_until("[victim] hanging")
        engine.kill()
        engine.start()
        code = run.wait()
    assert code in (1, 3)
    assert len(errors(run.told)) == 1
    assert "ended with the Docker engine, which was stopped or restarted" in run.told
    user.must_leave_nothing()


def test_with_live_restore_a_session_goes_on_or_is_told_why_not(user: User) -> None:
    """Engines of 20.10 end containers that go with their end (--rm) when they start, also with live-restore."""
    with own_engine("--live-restore") as engine:
        engine.load(BASE)
        user.host = engine.host
        user.write_gated()
        with user.start() as run:
            run.read_until("[victim] passes first")
            engine.kill()
            engine.start()
            user.open_gate()
            code = run.wait()
            printed = run.printed()
        assert len(warnings(run.told)) == 1, run.told
        if code == 0:
            assert printed == "first\nlast\n"
        else:
            (error,) = errors(run.told)
            assert "ended with the Docker engine, which was stopped or restarted" in error
        user.must_leave_nothing()
