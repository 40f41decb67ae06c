#!/usr/bin/env python3
"""Draws the samples of `./dev soak` as SVG files: memory, descriptors, threads, files, what the engine has.

    tools/soak_plots.py build/soak docs/reliability

Reads frames.csv and frames.json (tests/soak). Into docs/reliability only a run of the full length is drawn.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FULL_LENGTH = 3600.0  # seconds
WIDTH, HEIGHT = 900, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 230, 40, 40
MOST_POINTS = 300  # of a line; more are not seen
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#000000", "#b8860b", "#8b0000"]


@dataclass(frozen=True)
class Plot:
    """One file: the series whose names end in one of `kinds`, divided by `scale`."""

    name: str
    title: str
    kinds: tuple[str, ...]
    unit: str
    scale: float = 1


PLOTS = [
    Plot("memory", "Resident memory of each process, its own pages", ("anon",), "MiB", 1 << 20),
    Plot(
        "shared", "Shared memory: of all realms, and as each process has mapped it", ("realms", "shmem"), "MiB", 1 << 20
    ),
    Plot("cgroups", "Memory that the kernel charges to each container", ("cgroup",), "MiB", 1 << 20),
    Plot("descriptors", "Open descriptors of each process", ("descriptors",), ""),
    Plot("threads", "Threads of each process, and all processes of the session", ("threads", "processes"), ""),
    Plot(
        "objects", "The engine's containers; files of the session", ("containers", "state_files", "runtime_files"), ""
    ),
]


def read(path: Path) -> tuple[list[float], dict[str, list[float]]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f"{path} holds no samples")
    series = {name: [float(row[name]) for row in rows] for name in rows[0] if name != "seconds"}
    return [float(row["seconds"]) for row in rows], series


def thinned(values: list[float]) -> list[tuple[int, float]]:
    """At most so many points, each the largest of its neighbourhood: a peak is not lost by thinning."""
    step = max(1, -(-len(values) // MOST_POINTS))
    found = []
    for begin in range(0, len(values), step):
        at = max(range(begin, min(begin + step, len(values))), key=values.__getitem__)
        found.append((at, values[at]))
    return found


def ticks(most: float) -> list[float]:
    """Some round numbers from 0 to at least `most`."""
    step = 10.0 ** (len(str(int(most))) - 1) if most >= 1 else 0.1
    while most / step > 6:
        step *= 2 if str(step)[0] in "15" else 2.5
    while most / step < 3:
        step /= 2
    return [step * number for number in range(int(most / step) + 2)]


def text(x: float, y: float, words: str, anchor: str = "start", colour: str = "#222", size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-size="{size}">{escape(words)}</text>'


def draw(plot: Plot, seconds: list[float], series: dict[str, list[float]]) -> str:
    chosen = {name: values for name, values in series.items() if name.rpartition(".")[2] in plot.kinds}
    if not chosen:
        raise ValueError(f"no series is one of {', '.join(plot.kinds)}")
    marks = ticks(max(max(values) for values in chosen.values()) / plot.scale)
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    span = max(seconds[-1], 1e-9)

    def x(second: float) -> float:
        return LEFT + second / span * inner_width

    def y(value: float) -> float:
        return TOP + inner_height - value / marks[-1] * inner_height

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text(LEFT, 22, plot.title + (f" ({plot.unit})" if plot.unit else ""), size=15),
    ]
    for mark in marks:
        parts.append(f'<path d="M{LEFT} {y(mark):.1f}h{inner_width}" stroke="#ddd"/>')
        parts.append(text(LEFT - 8, y(mark) + 4, f"{mark:g}", "end"))
    for tenth in range(0, 11, 2):
        second = span * tenth / 10
        parts.append(text(x(second), HEIGHT - 16, f"{second / 60:.3g} min", "middle"))
    # The last lines first, so that those of the legend's top lie upon them.
    for number, (name, values) in reversed(list(enumerate(chosen.items()))):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x(seconds[at]):.1f},{y(value / plot.scale):.1f}" for at, value in thinned(values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(text(WIDTH - RIGHT + 12, TOP + 12 + 16 * number, name, colour=colour))
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the folder with frames.csv and frames.json")
    parser.add_argument("target", type=Path, help="the folder for the SVG files")
    options = parser.parse_args()
    told = json.loads((options.results / "frames.json").read_text(encoding="utf-8"))
    if options.target.resolve() == ROOT / "docs/reliability" and told["seconds"] < 0.99 * FULL_LENGTH:
        print(
            f"this run took {told['seconds']:.0f} s: what the documentation shows is a run of {FULL_LENGTH:.0f} s. "
            "Run `./dev soak` as it is, or draw into another folder",
            file=sys.stderr,
        )
        return 1
    seconds, series = read(options.results / "frames.csv")
    options.target.mkdir(parents=True, exist_ok=True)
    for plot in PLOTS:
        (options.target / f"{plot.name}.svg").write_text(draw(plot, seconds, series), encoding="utf-8")
        print(options.target / f"{plot.name}.svg")
    (options.target / "frames.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
