"""An engine that accepts connections and never answers."""

from __future__ import annotations

import signal

import pytest
from conftest import Engine, User, errors, warnings

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SAID = "did not answer within"
REMEDY = "if 'docker version' hangs too, restart it with 'sudo systemctl restart docker'"


def test_before_a_session_it_is_one_sentence(engine: Engine, user: User) -> None:
    user.write_source()
    with engine.wedged():
        result = user.run()
    assert result.returncode == 3
    (error,) = errors(result.stderr)
    assert f"the Docker engine at {engine.host.removeprefix('unix://')} {SAID}" in error and REMEDY in error
    assert result.stdout == ""
    user.must_leave_nothing()


def test_during_a_start_it_is_one_sentence(engine: Engine, user: User) -> None:
    user.write_source()
    with user.start() as run:
        run.read_until("starting containers")
        with engine.wedged():
            code = run.wait()
    assert code == 3
    (error,) = errors(run.told)
    assert SAID in error and REMEDY in error and "starting the container of node 'source'" in error
    user.must_leave_nothing()


def test_during_a_run_and_at_its_end_the_pipeline_is_not_kept(engine: Engine, user: User) -> None:
    user.write_gated()
    with user.start() as run:
        run.read_until("[victim] passes first")
        with engine.wedged():
            user.open_gate()
            code = run.wait()
        assert code == 0, run.told
        assert run.printed() == "first\nlast\n"
    (warning,) = warnings(run.told)
    assert SAID in warning and "the next penstock command removes what is left" in warning
    user.must_leave_nothing()


def test_a_runtime_killed_meanwhile_leaves_what_the_next_command_removes(engine: Engine, user: User) -> None:
    user.write_gated("Hang")
    with user.start() as run:
        run.read_until("[victim] hanging")
        with engine.wedged():
            run.process.send_signal(signal.SIGKILL)
            run.process.wait()
    user.must_leave_nothing()
