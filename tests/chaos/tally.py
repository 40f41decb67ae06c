"""What was done and what came of it, over all rounds: for people, and as JSON."""

from __future__ import annotations

import collections
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIGURES = ("sent", "delivered", "lost", "dropped", "redelivered", "suppressed", "restarts")


def figures_of(status: dict[str, Any]) -> collections.Counter[str]:
    """Of a report, or of what `penstock ps` shows. `dropped`: by edges that may, whether they had to or not."""
    figures: collections.Counter[str] = collections.Counter()
    for edge in status["edges"]:
        for name in ("sent", "delivered", "redelivered", "suppressed"):
            figures[name] += edge[name]
        figures["lost" if edge["policy"] in ("block", "fail") else "dropped"] += edge["lost"]
    figures["restarts"] = sum(node["restarts"] for node in status["nodes"])
    return figures


@dataclass
class Tally:
    rounds: int = 0
    began: int = 0
    arrived: int = 0
    faults: dict[str, collections.Counter[str]] = field(default_factory=dict)  # by kind; with `times`
    roles: collections.Counter[str] = field(default_factory=collections.Counter)  # of the nodes that were struck
    left_out: int = 0  # nodes
    endings: collections.Counter[str] = field(default_factory=collections.Counter)
    totals: collections.Counter[str] = field(default_factory=collections.Counter)  # of all reports
    violations: list[dict[str, str]] = field(default_factory=list)

    def add_fault(self, kind: str, before: collections.Counter[str], after: collections.Counter[str]) -> None:
        figures = self.faults.setdefault(kind, collections.Counter())
        figures["times"] += 1
        for name in FIGURES:
            figures[name] += after[name] - before[name]

    def text(self) -> str:
        rows = [["fault", "times", *FIGURES]]
        for kind, figures in sorted(self.faults.items()):
            rows.append([kind, str(figures["times"]), *(str(figures[name]) for name in FIGURES)])
        rows.append(["all rounds", str(self.rounds), *(str(self.totals[name]) for name in FIGURES)])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        cells = [[f"{cell:>{width}}" for cell, width in zip(row, widths)] for row in rows]
        lines = ["  ".join([row[0].ljust(widths[0]), *cell[1:]]) for row, cell in zip(rows, cells)]
        endings = ", ".join(f"{count} {kind}" for kind, count in sorted(self.endings.items()))
        seen = f"{self.began} messages handled, {self.arrived} of them at sinks"
        return "\n".join([*lines, f"ends: {endings}", f"{seen}; {len(self.violations)} violations"])

    def write(self, path: Path) -> None:
        told = {
            "version": 1,
            "rounds": self.rounds,
            "handled": self.began,
            "arrived": self.arrived,
            "faults": {kind: dict(figures) for kind, figures in sorted(self.faults.items())},
            "struck": dict(self.roles),
            "left_out": self.left_out,
            "endings": dict(self.endings),
            "totals": {name: self.totals[name] for name in FIGURES},
            "violations": self.violations,
        }
        path.write_text(json.dumps(told, indent=1) + "\n")
