"""How a session ends: as it is asked to, or because something is done that ends it. Whatever it is, it is explained,
and nothing of the session is left."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faults import order
from history import History
from sessions import Run
from violation import ViolationError

LATE_S = 3600.0
START_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Ending:
    """`play` returns what a `penstock: error:` line must say, if any must."""

    kind: str
    play: Callable[[Run, random.Random, History], str]
    codes: tuple[int, ...]
    aborts: bool = True
    early: bool = False  # before the session has started
    small_quota: bool = False
    few_attempts: bool = False
    small_disk: bool = False
    start_timeout_s: float = 30
    weight: int = 1
    without: frozenset[str] = frozenset()  # features that would have the session go on
    needs: frozenset[str] = frozenset()  # features


def interrupt(run: Run, dice: random.Random, history: History) -> str:
    run.signal(signal.SIGINT)
    return ""


def stop(run: Run, dice: random.Random, history: History) -> str:
    stopped = run.penstock("stop", run.session)
    if stopped.returncode != 0:
        raise ViolationError(f"'penstock stop' failed: {stopped.stderr}")
    return ""


def finish(run: Run, dice: random.Random, history: History) -> str:
    (run.pipeline.shared / "finish").touch()
    return ""


def interrupt_twice(run: Run, dice: random.Random, history: History) -> str:
    run.signal(signal.SIGINT)
    run.said.await_line(lambda line: "a second interrupt ends everything" in line, "that it ends the streams")
    run.signal(signal.SIGINT)
    return ""


def kill_runtime(run: Run, dice: random.Random, history: History) -> str:
    run.signal(signal.SIGKILL)
    return ""


def kill_runtime_early(run: Run, dice: random.Random, history: History) -> str:
    time.sleep(dice.random() * 1.5)
    run.signal(signal.SIGKILL)
    return ""


def kill_agent(run: Run, dice: random.Random, history: History) -> str:
    """The host's, which all workers outside containers are children of."""
    for task in Path(f"/proc/{run.pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "penstock-agent":
                os.kill(int(child), signal.SIGKILL)
                return "the host's agent ended unexpectedly"
    raise ViolationError("the runtime has no agent")


def kill_source(run: Run, dice: random.Random, history: History) -> str:
    return kill_one(run, dice, [node.id for node in run.pipeline.nodes.values() if node.kind == "numbers"])


def kill_native(run: Run, dice: random.Random, history: History) -> str:
    """A native sink's worker; another sink's where there is none."""
    sinks = run.pipeline.open_sinks
    return kill_one(run, dice, [node.id for node in sinks if node.is_native] or [node.id for node in sinks])


def kill_one(run: Run, dice: random.Random, names: list[str]) -> str:
    name = dice.choice(names)
    os.kill(run.worker_of(name), signal.SIGKILL)
    return f"node '{name}'"


def ask_for_too_much(run: Run, dice: random.Random, history: History) -> str:
    """A source's message is beyond the session's shared memory."""
    name = dice.choice([node.id for node in run.pipeline.nodes.values() if node.kind == "numbers"])
    order("quota")(run, name)
    return "shm_quota_mb"


def overflow(run: Run, dice: random.Random, history: History) -> str:
    """A source sends more than an edge holds that is to fail then."""
    (edge,) = [edge for edge in run.pipeline.edges if edge.policy == "fail"]
    order("before", "hang")(run, edge.consumer)
    order("hurry")(run, edge.producer)
    return f"node '{edge.producer}' cannot send: edge '{edge.id}' overflowed"


def quarantine_without_room(run: Run, dice: random.Random, history: History) -> str:
    steady = run.pipeline.steady_steps
    ballast = run.place.disk_of(run.pid) / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 14))
    except OSError:
        pass
    order("before", "exception", "poison")(run, dice.choice(steady))
    return "quarantine"


def fail_too_often(run: Run, dice: random.Random, history: History) -> str:
    """A node is killed until the session gives up: it may have had the same message in its hands at each attempt, and
    go on once that is in quarantine."""
    name = dice.choice(run.pipeline.busy_steps)
    for _ in range(run.pipeline.nodes[name].max_attempts ** 2 + run.pipeline.nodes[name].max_attempts):
        os.kill(run.worker_of(name), signal.SIGKILL)
        said = f"node runs again after restart {run.restarts[name] + 1}"
        run.restarts[name] += 1
        index = run.said.await_line(
            lambda line, said=said: line.startswith((f"{said}: {name}", "penstock: error: ")),  # type: ignore[misc]
            f"that {name} runs again, or why not",
        )
        if run.said.lines[index].startswith("penstock: error: "):
            return f"node '{name}'"
    raise ViolationError(f"{name} was restarted {run.restarts[name]} times")


def start_too_late(run: Run, dice: random.Random, history: History) -> str:
    nodes = run.pipeline.nodes
    # A native node's start is not slowed down.
    name = dice.choice([name for name in run.pipeline.targets if not (nodes[name].skips or nodes[name].is_native)])
    slow = run.pipeline.shared / f"slow.{name}"
    slow.write_text(str(LATE_S))
    slow.chmod(0o666)
    os.kill(run.worker_of(name), signal.SIGKILL)
    return "did not import its module and set up within 5.0 s"


ENDINGS = {
    ending.kind: ending
    for ending in (
        Ending("interrupt", interrupt, (130,), aborts=False, weight=8),
        Ending("stop", stop, (0, 130), aborts=False, weight=3),
        Ending("finish", finish, (0,), aborts=False, weight=5),
        Ending("interrupt twice", interrupt_twice, (130,)),
        Ending("runtime kill", kill_runtime, (-signal.SIGKILL,), weight=2),
        Ending("early runtime kill", kill_runtime_early, (-signal.SIGKILL,), early=True),
        Ending("agent kill", kill_agent, (3,)),
        Ending("source kill", kill_source, (1,), without=frozenset({"sources"})),
        Ending("native kill", kill_native, (1,), without=frozenset({"natives"})),
        Ending("too much shared memory", ask_for_too_much, (1,), small_quota=True, without=frozenset({"sources"})),
        Ending("full edge", overflow, (1,), needs=frozenset({"fail"})),
        Ending("quarantine on a full disk", quarantine_without_room, (3,), small_disk=True, few_attempts=True),
        Ending("more failures than max_attempts", fail_too_often, (1,), few_attempts=True),
        Ending("start after start_timeout", start_too_late, (1,), start_timeout_s=START_TIMEOUT_S),
    )
}


def possible(ending: Ending, run: Run) -> bool:
    if ending.kind == "quarantine on a full disk":
        return bool(run.pipeline.steady_steps)
    if ending.needs:
        return all(edge.consumer not in run.pipeline.left_out for edge in run.pipeline.edges if edge.policy == "fail")
    if ending.kind == "native kill":
        return bool(run.pipeline.open_sinks)
    if ending.kind == "finish":
        return not run.pipeline.endless
    return bool(run.pipeline.busy_steps)


def check_explained(run: Run, wanted: str) -> None:
    """One sentence says what happened, and is the last of the session's errors too."""
    if not wanted:
        return
    errors = [line for line in run.said.text().splitlines() if line.startswith("penstock: error: ")]
    if not errors or wanted not in errors[0]:
        raise ViolationError(f"its end is not explained by {wanted!r}: {errors}")
