"""What every benchmark here shares: running `penstock`, and figures as `./dev bench` collects them.

A script is called with the path that its figures go to, a JSON list of objects with id, value, unit, goal, against,
ratio and runs. Values are medians over runs unless the id says otherwise; both sides of a comparison come from one run.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

REPOSITORY = Path(__file__).resolve().parents[1]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))


def figure(
    id: str,
    value: float,
    unit: str,
    goal: str,
    runs: int,
    against: Optional[float] = None,
    ratio: Optional[float] = None,
) -> dict[str, Any]:
    """One figure. `against` is the other side of a comparison, in the same unit; `ratio` is value / against."""
    if ratio is None and against:
        ratio = value / against
    rounded = None if ratio is None else round(ratio, 3)
    return {
        "id": id,
        "value": round(value, 3),
        "unit": unit,
        "goal": goal,
        "against": against and round(against, 3),
        "ratio": rounded,
        "runs": runs,
    }


def write(figures: list[dict[str, Any]]) -> None:
    Path(sys.argv[1]).write_text(json.dumps(figures, indent=1) + "\n")


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that `percent` of all do not exceed."""
    ordered = sorted(values)
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[max(rank, 1) - 1]


def median(values: list[float]) -> float:
    return statistics.median(values)


def node(id: str, node_type: str, *, python: Optional[str] = None, keep_warm: int = 0, **more: Any) -> dict[str, Any]:
    """A node of a manifest; in a container when `python` names a version, its session's own unless it is kept warm."""
    result: dict[str, Any] = {"id": id, "node_type": node_type, **more}
    if python is not None:
        result["docker"] = {
            "python_version": python,
            "resource_limits": {"memory_mb": 512, "cpu_cores": 2},
            "keep_warm": keep_warm,  # seconds
        }
    return result


def write_pipeline(folder: Path, nodes: list[dict[str, Any]], connections: list[dict[str, Any]]) -> Path:
    manifest = folder / "pipeline.json"
    manifest.write_text(
        json.dumps({"version": "v1", "metadata": {"name": "bench"}, "nodes": nodes, "connections": connections})
    )
    return manifest


def run(manifest: Path, *arguments: str, report: Optional[Path] = None) -> dict[str, Any]:
    """Runs the pipeline to its end. Returns its report."""
    report = report or manifest.with_suffix(".report")
    done = subprocess.run(
        [str(PENSTOCK), "run", str(manifest), "--quiet", "--report", str(report), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"penstock run ended with {done.returncode}:\n{done.stderr}")
    return json.loads(report.read_text())


def container_of(session: str, node: str) -> int:
    """The first process of a node's container, as the host counts."""
    filters = ("--filter", f"label=penstock.session={session}", "--filter", f"label=penstock.node={node}")
    found = subprocess.run(["docker", "ps", "-q", *filters], capture_output=True, text=True, check=True)
    inspect = ["docker", "inspect", "-f", "{{.State.Pid}}", found.stdout.strip()]
    return int(subprocess.run(inspect, capture_output=True, text=True, check=True).stdout)


def process_in(first_process: int, inside: int) -> Optional[int]:
    """Number `inside` of the container of `first_process`, as the host counts; None: it is not there."""
    for pid in descendants(first_process):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except FileNotFoundError:
            continue
        numbers = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
        if int(numbers[-1]) == inside:
            return pid
    return None


def descendants(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return children + [each for child in children for each in descendants(child)]
