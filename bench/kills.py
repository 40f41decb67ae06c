#!/usr/bin/env python3
"""The same kills under load, here and elsewhere: what is lost, doubled, out of order, and how long nothing comes.

A pipeline source → worker → sink of numbered, checksummed messages at a steady rate; the worker is ended with SIGKILL
at instants drawn from a seed, which are the same for all systems. The systems take turns, round by round. Each restarts
its worker in the best way that it has (bench/rivals/systems.py). Times are from the kill to the first message of the
new worker at the sink, the interpreter's start and the system's own imports included.

    kills.py FIGURES [--seed S] [--rounds N] [--kills N]

Lost, doubled and out of order are counted at the sink, over all rounds. Before them each system has a run without
kills, so that what it loses anyway, `kills.SYSTEM.lost_in_peace`, is not taken for the price of a kill. A table for
docs/reliability.md is printed. A system that cannot be installed is left out, which is said on stderr and counted in
`kills.systems`.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from figures import figure, median, percentile, write
from rivals import stream
from rivals.systems import Dora, Penstock, PenstockContainer, System, UnavailableError, Zmq

RATE = 500  # messages a second
SIZE = 1024  # bytes of each
WORK_S = 0.001  # what the worker needs for each: half of the kills find one in its hands
FIRST_S, GAP_S, AFTER_S = 1.0, (1.0, 2.0), 3.0  # of the kills, from the first message on
PATIENCE_S = 60  # for a first message
GIVEN_UP_S = 15  # a worker that is not back by then will not be
QUIET_S = 3  # nothing more comes


@dataclass
class Outcome:
    sent: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    changed: int = 0
    kills: int = 0
    survived: int = 0
    silences_ms: list[float] = field(default_factory=list)


class Arrivals:
    """What the sink has noted so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.all: list[tuple[int, int, int, bool]] = []
        self.first_of: dict[int, int] = {}  # incarnation of a worker: when its first message came
        self._read = 0

    def look(self) -> int:
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
            whole = len(data) - len(data) % stream.ARRIVAL.size
            self._read += whole
            for arrival in stream.ARRIVAL.iter_unpack(data[:whole]):
                self.all.append(arrival)
                self.first_of.setdefault(arrival[1], arrival[2])
        return len(self.all)


def schedule(seed: int, kills: int) -> list[float]:
    """Seconds from the first message to each kill."""
    random_gaps = random.Random(seed)
    instants = [FIRST_S]
    while len(instants) < kills:
        instants.append(instants[-1] + random_gaps.uniform(*GAP_S))
    return instants


def until(condition: Any, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def working(system: System, folder: Path, arrivals: Arrivals, after: int) -> Optional[tuple[int, int]]:
    """Incarnation and process id of the worker once its messages come through; `after` is the one killed last."""
    deadline = time.monotonic() + GIVEN_UP_S
    while time.monotonic() < deadline:
        found = system.worker(folder)
        arrivals.look()
        if found[0] != after and found[0] in arrivals.first_of and found[1]:
            return found
        time.sleep(0.002)
    return None


def kill_in_turn(system: System, folder: Path, arrivals: Arrivals, instants: list[float]) -> list[tuple[int, int]]:
    """When each kill was, and whom it met. None is later than planned unless a worker is not back by then."""
    killed: list[tuple[int, int]] = []
    begin = time.monotonic()
    for instant in instants:
        time.sleep(max(0.0, begin + instant - time.monotonic()))
        found = working(system, folder, arrivals, killed[-1][1] if killed else 0)
        if found is None:
            break
        killed.append((time.monotonic_ns(), found[0]))
        os.kill(found[1], signal.SIGKILL)
    return killed


def play(system: System, folder: Path, instants: list[float]) -> Outcome:
    messages = int(((instants or [FIRST_S])[-1] + AFTER_S) * RATE)
    stream.write_plan(folder, messages=messages, size=SIZE, rate=RATE, work_s=WORK_S)
    arrivals = Arrivals(folder / "arrived")
    system.start(folder)
    try:
        if not until(lambda: arrivals.look() > 0 or system.has_ended(), PATIENCE_S) or not arrivals.all:
            raise SystemExit(f"no message came through {system.name}:\n{(folder / 'output').read_text()[-4000:]}")
        killed = kill_in_turn(system, folder, arrivals, instants)
        until((folder / "sent").exists, AFTER_S + GIVEN_UP_S)
        last = -1
        while arrivals.look() != last and not system.has_ended():
            last = arrivals.look()
            until(lambda: arrivals.look() != last, QUIET_S)  # noqa: B023
    finally:
        system.stop()
    arrivals.look()
    return account(arrivals, killed, messages)


def account(arrivals: Arrivals, killed: list[tuple[int, int]], messages: int) -> Outcome:
    outcome = Outcome(sent=messages, kills=len(killed))
    seen: set[int] = set()
    highest = -1
    for number, _, _, unchanged in arrivals.all:
        outcome.changed += not unchanged
        if number in seen:
            outcome.doubled += 1
        elif number < highest:
            outcome.reordered += 1
        seen.add(number)
        highest = max(highest, number)
    outcome.lost = messages - len(seen)
    order = list(arrivals.first_of)
    for when, incarnation in killed:
        successors = order[order.index(incarnation) + 1 :]
        if successors:
            outcome.survived += 1
            outcome.silences_ms.append((arrivals.first_of[successors[0]] - when) / 1e6)
    return outcome


def systems() -> list[System]:
    found: list[System] = [Penstock(), PenstockContainer()]
    for kind in (Dora, Zmq):
        try:
            found.append(kind())
        except UnavailableError as error:
            print(f"kills.py: LEFT OUT: {kind.name}, which cannot be installed: {error}", file=sys.stderr)
    return found


def total(outcomes: list[Outcome], name: str) -> int:
    return sum(getattr(outcome, name) for outcome in outcomes)


def silences(outcomes: list[Outcome]) -> list[float]:
    return [value for outcome in outcomes for value in outcome.silences_ms]


def figures_of(results: dict[str, list[Outcome]], peace: dict[str, Outcome]) -> list[dict[str, Any]]:
    ours = results["penstock"]
    figures = [figure("kills.systems", len(results), "systems", ">= 4", len(ours))]
    for name, outcomes in results.items():
        kills = total(outcomes, "kills")
        for what in ("lost", "doubled", "reordered", "changed"):
            goal = "<= 0" if name.startswith("penstock") else "shown"
            figures.append(figure(f"kills.{name}.{what}", total(outcomes, what), "messages", goal, kills))
        figures.append(figure(f"kills.{name}.lost_in_peace", peace[name].lost, "messages", "shown", 1))
        figures.append(figure(f"kills.{name}.survived", 100 * total(outcomes, "survived") / kills, "%", "shown", kills))
        against: Optional[float] = None if name == "penstock" else median(silences(ours))
        if values := silences(outcomes):
            figures.append(figure(f"kills.{name}.silence", median(values), "ms p50", "shown", kills, against))
            figures.append(figure(f"kills.{name}.silence.p99", percentile(values, 99), "ms p99", "shown", kills))
    return figures


def table(results: dict[str, list[Outcome]], peace: dict[str, Outcome], kinds: list[System]) -> str:
    rows = [
        "| system | kills | survived | messages | lost | without kills | doubled | out of order | changed "
        "| until the next message, p50 / p99 | for a restart it needs |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in kinds:
        outcomes = results[kind.name]
        values = silences(outcomes)
        silence = f"{median(values):.0f} / {percentile(values, 99):.0f} ms" if values else "never"
        whats = ("kills", "survived", "sent", "lost", "doubled", "reordered", "changed")
        numbers = [str(total(outcomes, what)) for what in whats]
        numbers.insert(4, str(peace[kind.name].lost))
        rows.append(f"| {' | '.join([kind.title, *numbers, silence, kind.restarts_by])} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kills the worker of a pipeline, in Penstock and elsewhere.")
    parser.add_argument("figures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=10, help="in each round of each system")
    options = parser.parse_args()
    kinds = systems()
    results: dict[str, list[Outcome]] = {kind.name: [] for kind in kinds}
    peace: dict[str, Outcome] = {}

    def turn(kind: System, instants: list[float], what: str) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="kills-") as name:
            outcome = play(kind, Path(name), instants)
        print(f"{what}, {kind.name}: {outcome}", flush=True)
        return outcome

    for kind in kinds:
        peace[kind.name] = turn(kind, [], "without kills")
    for number in range(options.rounds):
        instants = schedule(options.seed + number, options.kills)
        for kind in kinds if number % 2 == 0 else reversed(kinds):
            results[kind.name].append(turn(kind, instants, f"round {number + 1}"))
    print(table(results, peace, kinds))
    write(figures_of(results, peace))


if __name__ == "__main__":
    main()
