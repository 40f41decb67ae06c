"""An engine of our own, to be stopped, killed and started again under a session: that of tests/engine."""

from __future__ import annotations

import importlib.util
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from endings import Ending
from history import History
from sessions import Run
from violation import ViolationError

STOPPED = "ended with the Docker engine, which was stopped or restarted"


def helper() -> ModuleType:
    """The module that has it is a conftest.py, of which there are many."""
    name = "penstock_test_engine"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "engine" / "conftest.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@contextmanager
def own_engine(pythons: tuple[str, ...]) -> Iterator[Any]:
    with helper().own_engine() as engine:
        for python in pythons:
            engine.load(f"penstock/base:{python}")
        yield engine


def stop(run: Run, dice: random.Random, history: History) -> str:
    """With it end its containers."""
    run.place.engine.end()
    return STOPPED


def kill(run: Run, dice: random.Random, history: History) -> str:
    """Its containers live on, and so does the session."""
    run.place.engine.kill()
    run.said.await_line(lambda line: "the Docker engine's stream of events ended" in line, "that the engine is gone")
    run.signal(signal.SIGINT)
    return ""


def kill_and_start(run: Run, dice: random.Random, history: History) -> str:
    """It ends the containers that it finds when it starts, or goes on with them; some nodes are restarted then."""
    gone = run.pipeline.containers
    history.spare.update(dict.fromkeys(gone, 3))
    history.gone_together.update(edge.id for edge in run.pipeline.between(gone))
    run.place.engine.kill()
    run.place.engine.start()
    if run.process.poll() is None:
        run.signal(signal.SIGINT)
    history.aborted = run.wait() != 130
    return STOPPED if history.aborted else ""


def again(run: Run) -> None:
    """As it was before, for what is left and for the next round."""
    if run.place.engine is not None and run.place.engine.dockerd.ended:
        try:
            run.place.engine.start()
        except AssertionError as error:
            raise ViolationError(f"the engine does not start again: {error}") from None


ENGINE_ENDINGS = {
    ending.kind: ending
    for ending in (
        Ending("engine stop", stop, (1, 3)),
        Ending("engine kill", kill, (130,), aborts=False),
        Ending("engine kill and start", kill_and_start, (130, 1, 3), aborts=False),
    )
}
