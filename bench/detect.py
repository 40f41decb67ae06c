#!/usr/bin/env python3
"""From a fault to the runtime's sentence about it, p50 and p99 by kind of fault, and what the fault cost the stream.

All times are CLOCK_MONOTONIC. *Told* is when a thread of the bench that does nothing else has read the runtime's line
from its stderr. The *fault* is

- where the node brings it about: right before it does so, written into a file that it maps;
- where the bench kills a container or the host's agent: right before its kill(2);
- of a container that is removed: the last sign of life that the node gives, one every 0.2 ms, as the engine takes its
  own time between the command and the kill; it is too early rather than too late;
- of a node that runs out of memory: when the kernel says by its pidfd that it has ended. Until then it looks for
  memory to spare, which may take longer than all else, and nothing has failed yet;
- of a node that hangs: when its handler did so. Shown is the time beyond its process_timeout.

`KIND.lost` counts what the sink did not get of what the source had sent, over all faults of that kind, `KIND.doubled`
what it got twice. The death of the host's agent ends its session and has neither.

    detect.py FIGURES [--runs N] [--only KIND…] all kinds, each as often as bench/faults.py says
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from faults import KINDS, Kind, Seen, play_session
from figures import figure, median, percentile, write

GOALS = {"crash": "<= 15", "hang": "<= 50"}


def play(kind: Kind) -> Seen:
    seen = Seen()
    for _ in range(kind.runs if kind.ends_session else 1):
        with tempfile.TemporaryDirectory(prefix="detect-") as place:
            folder = Path(place)
            folder.chmod(0o755)
            seen.add(play_session(kind, folder))
    return seen


def group_of(name: str) -> str:
    return "hang" if KINDS[name].hangs else "crash"


def print_row(name: str, found: Seen) -> None:
    """For docs/reliability.md."""
    told = f"{median(found.told_ms):.1f} / {percentile(found.told_ms, 99):.1f} ms"
    costs = [found.survived, found.sent, found.lost, found.doubled, found.reordered]
    rest = ["-"] * len(costs) if KINDS[name].ends_session else costs
    print(f"| {' | '.join(map(str, [KINDS[name].title, found.faults, told, *rest]))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures how soon faults are told, and what they cost.")
    parser.add_argument("figures")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--runs", type=int, help="of each kind")
    options = parser.parse_args()
    kinds = {name: KINDS[name] for name in options.only}
    if options.runs:
        kinds = {name: replace(kind, runs=options.runs) for name, kind in kinds.items()}
    print("| fault | times | told after, p50 / p99 | survived | messages | lost | doubled | out of order |")
    print("|---|---|---|---|---|---|---|---|")
    seen: dict[str, Seen] = {}
    for name, kind in kinds.items():
        seen[name] = play(kind)
        print_row(name, seen[name])
    figures = []
    for group, goal in GOALS.items():
        values = [value for name in seen if group_of(name) == group for value in seen[name].told_ms]
        if not values:
            continue
        figures.append(figure(f"detect.{group}", percentile(values, 99), "ms p99", goal, len(values)))
    for name, found in seen.items():
        id, runs = f"detect.{group_of(name)}.{name}", found.faults
        goal = GOALS[group_of(name)]
        figures.append(figure(id, percentile(found.told_ms, 99), "ms p99", goal, runs))
        figures.append(figure(f"{id}.p50", median(found.told_ms), "ms p50", "shown", runs))
        if KINDS[name].ends_session:
            continue
        figures.append(figure(f"{id}.survived", 100 * found.survived / runs, "%", ">= 100", runs))
        for what in ("lost", "doubled", "reordered"):
            figures.append(figure(f"{id}.{what}", getattr(found, what), "messages", "<= 0", runs))
    write(figures)


if __name__ == "__main__":
    main()
