#!/usr/bin/env python3
"""From a worker's death to the sentence about it on the terminal, p50 and p99 over many sessions.

The worker, a process of the host or in a container, writes CLOCK_MONOTONIC right before it raises or dies by SIGSEGV;
the reader takes the same clock when the line arrives. A container is killed through its first process, by its process
id on the host.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from figures import PENSTOCK, container_of, figure, median, node, percentile, write, write_pipeline

# How it dies: how many times, and whether in a container.
RUNS = {"exception": (40, False), "signal": (40, False), "signal_in_container": (20, True), "container": (20, True)}
NODES = """
import os, signal, threading, time
import penstock
from penstock import Text

class One(penstock.Node):
    def process(self):
        yield Text("x")

class Die(penstock.Node):
    def setup(self, params):
        self.how = params["how"]
    def process(self, text: Text) -> None:
        if self.how == "container":
            print("ready", flush=True)
            threading.Event().wait()
        print("at", time.monotonic_ns(), flush=True)
        if self.how.startswith("signal"):
            os.kill(os.getpid(), signal.SIGSEGV)
        raise ValueError("on purpose")
"""


def one(manifest: Path, how: str) -> float:
    """Milliseconds from death to sentence."""
    with subprocess.Popen(
        [str(PENSTOCK), "run", str(manifest)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        died = session = None
        for line in process.stderr:
            now = time.monotonic_ns()
            if line.startswith("session "):
                session = line.split()[1]
            elif line.startswith("[die] at "):
                died = int(line.split()[2])
            elif line.startswith("[die] ready"):
                assert session is not None
                pid = container_of(session, "die")
                died = time.monotonic_ns()
                os.kill(pid, signal.SIGKILL)
            elif line.startswith("penstock: error:"):
                rest = process.stderr.read()
                # The node's last words come through another channel than its failure, and may come later.
                if died is None and (spoken := re.search(r"^\[die\] at (\d+)", rest, re.MULTILINE)):
                    died = int(spoken[1])
                if died is None:
                    raise SystemExit(f"an unexpected failure: {line}")
                return (now - died) / 1e6
    raise SystemExit("the run ended without its sentence")


def main() -> None:
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nodes.py").write_text(NODES)
        for how, (runs, in_container) in RUNS.items():
            python = "3.11" if in_container else None
            die = node("die", "nodes:Die", params={"how": how}, python=python)
            manifest = write_pipeline(folder, [node("one", "nodes:One"), die], [{"from": "one", "to": "die"}])
            times[how] = [one(manifest, how) for _ in range(runs)]
    everything = [value for values in times.values() for value in values]
    figures = [figure("crash.reported", percentile(everything, 99), "ms p99", "<= 15", len(everything))]
    for how, values in times.items():
        figures.append(figure(f"crash.reported.{how}", percentile(values, 99), "ms p99", "<= 15", len(values)))
        figures.append(figure(f"crash.reported.{how}.p50", median(values), "ms p50", "shown", len(values)))
    write(figures)


if __name__ == "__main__":
    main()
