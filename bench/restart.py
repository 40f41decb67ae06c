#!/usr/bin/env python3
"""From a node's death to the first message that its replacement handles, p50 over many sessions, by what is lost.

The node, a process of the host or in a container, writes CLOCK_MONOTONIC right before it dies by SIGKILL, its
replacement when it handles its first message; both import nothing but the SDK. A container is killed through its first
process. Each run also checks that every message arrived once: the number of those sent twice or lost is a figure.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import PENSTOCK, container_of, figure, median, node, percentile, write, write_pipeline

# What dies: how many times, and the goal in milliseconds.
RUNS = {"process": (30, 150), "warm_container": (20, 200), "container": (10, 800)}
MESSAGES = 2000
NODES = """
import os, signal, sys, time
import penstock
from penstock import Text

class Numbers(penstock.Node):
    def setup(self, params):
        self.n = params["n"]
    def process(self):
        for i in range(self.n):
            yield Text(str(i))

class Die(penstock.Node):
    def setup(self, params):
        self.how, self.marker, self.first = params["how"], params["marker"], True
    def process(self, text: Text) -> Text:
        if self.first and int(text.text) > 0:
            print("again", time.monotonic_ns(), flush=True)
        self.first = False
        if text.text == "1000" and not os.path.exists(self.marker) and self.how != "container":
            open(self.marker, "w").close()
            print("at", time.monotonic_ns(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if text.text == "1000" and self.how == "container" and not os.path.exists("/app/killed"):
            print("ready", flush=True)
            while True:
                time.sleep(1)
        return text
"""


def one(folder: Path, how: str) -> tuple[float, int, int]:
    """Milliseconds from death to the first message; messages lost, and sent twice."""
    marker = folder / "marker" if how == "process" else Path("/tmp/marker")
    for name in ("marker", "killed"):
        (folder / name).unlink(missing_ok=True)
    numbers = node("numbers", "nodes:Numbers", params={"n": MESSAGES})
    die = node(
        "die",
        "nodes:Die",
        python=None if how == "process" else "3.11",
        params={"how": how, "marker": str(marker)},
        on_failure="restart",
    )
    sink: dict[str, Any] = {"id": "sink", "node_type": "text.sink"}
    edges = [{"from": "numbers", "to": "die"}, {"from": "die", "to": "sink"}]
    manifest = write_pipeline(folder, [numbers, die, sink], edges)
    out, report = folder / "out", folder / "report"
    command = [str(PENSTOCK), "run", str(manifest), "--report", str(report)]
    with (
        out.open("w") as stdout,
        subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stderr is not None
        died = session = None
        spoken = ""
        for line in process.stderr:
            spoken += line
            if line.startswith("session "):
                session = line.split()[1]
            elif line.startswith("[die] ready"):
                assert session is not None
                pid = container_of(session, "die")
                (folder / "killed").touch()
                died = time.monotonic_ns()
                os.kill(pid, signal.SIGKILL)
    at, again = re.search(r"^\[die\] at (\d+)", spoken, re.M), re.search(r"^\[die\] again (\d+)", spoken, re.M)
    if process.returncode != 0 or again is None or (died is None and at is None):
        raise SystemExit(f"an unexpected run:\n{spoken}")
    died = died or int(at[1])  # type: ignore[index]
    lost = sum(edge["lost"] for edge in json.loads(report.read_text())["edges"])
    got = out.read_text().split()
    lost += MESSAGES - len(set(got))
    return (int(again[1]) - died) / 1e6, lost, len(got) - len(set(got))


def main() -> None:
    figures = []
    all_lost = all_twice = runs = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nodes.py").write_text(NODES)
        for how, (count, goal) in RUNS.items():
            results = [one(folder, how) for _ in range(count)]
            times = [result[0] for result in results]
            all_lost += sum(result[1] for result in results)
            all_twice += sum(result[2] for result in results)
            runs += count
            figures.append(figure(f"restart.{how}", median(times), "ms p50", f"<= {goal}", count))
            figures.append(figure(f"restart.{how}.p99", percentile(times, 99), "ms p99", "shown", count))
    figures.append(figure("restart.lost", all_lost, "messages", "<= 0", runs))
    figures.append(figure("restart.twice", all_twice, "messages", "<= 0", runs))
    write(figures)


if __name__ == "__main__":
    main()
