#!/usr/bin/env python3
"""What becomes of the lines of eight nodes: at 20,000 lines a second in all, and as fast as they can write.

Lines go to stdout, stderr and `logging` in turn. The runtime's CPU time is read while it waits for a terminal that
nobody reads, which it does once the session has ended and its log is written.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Optional

from figures import PENSTOCK, figure, median, node, write, write_pipeline

NODES_WRITING = 8
RATE = 20_000  # lines a second of all together
PACED_S = 5
HURRIED = 60_000  # lines of each node
RUNS = 3
NODES = """
import logging, sys, time
import penstock
from penstock import Text

class Quiet(penstock.Node):
    def process(self, text: Text) -> None:
        pass

class Flood(penstock.Node):
    def setup(self, params):
        self.lines, self.rate = params["lines"], params["rate"]
    def process(self):
        logger = logging.getLogger("flood")
        writers = (print, lambda line: print(line, file=sys.stderr), logger.info)
        start = time.monotonic_ns()
        for i in range(self.lines):
            writers[i % 3](f"line {i} " + "x" * 60)
            if self.rate and i % 25 == 24:
                self.sleep_until(start + (i + 1) * 1_000_000_000 // self.rate)
        yield Text("done")
"""


def cpu_seconds(pid: int) -> float:
    """Of the process alone, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def one(folder: Path, lines: int, rate: Optional[int], python: Optional[str] = None) -> dict[str, Any]:
    """Runs it. Returns shares and rates of one run."""
    floods = [
        node(f"flood{i}", "nodes:Flood", python=python, params={"lines": lines, "rate": rate})
        for i in range(NODES_WRITING)
    ]
    ends = [node(f"end{i}", "nodes:Quiet") for i in range(NODES_WRITING)]
    manifest = write_pipeline(
        folder, [*floods, *ends], [{"from": f"flood{i}", "to": f"end{i}"} for i in range(NODES_WRITING)]
    )
    report = folder / "report.json"
    env = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    command = [str(PENSTOCK), "run", str(manifest), "--report", str(report), "--log-file-size", "1GiB"]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(b"session "):
                break
        before = cpu_seconds(process.pid)
        subprocess.run([str(PENSTOCK), "logs", "-f", "--grep", "^$"], env=env, check=True)
        spent = cpu_seconds(process.pid) - before
        process.stderr.read()
        if process.wait() != 0:
            raise SystemExit(f"penstock run ended with {process.returncode}")
    result = json.loads(report.read_text())
    ran = result["timeline_s"]["ended"] - result["timeline_s"]["started"]
    written = NODES_WRITING * lines
    dropped = sum(d["lines"] for d in result["log"]["dropped_by_source"])
    return {
        "kept_percent": 100 * (written - dropped) / written,
        "kept_per_second": (written - dropped) / ran,
        "cpu_percent": 100 * spent / ran,
        "us_per_line": 1e6 * spent / written,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nodes.py").write_text(NODES)
        each = RATE // NODES_WRITING
        paced, contained, hurried = [], [], []
        for _ in range(RUNS):
            paced.append(one(folder, PACED_S * each, each))
            contained.append(one(folder, PACED_S * each, each, python="3.11"))
            hurried.append(one(folder, HURRIED, None))

    def of(runs: list[dict[str, Any]], key: str) -> float:
        return median([run[key] for run in runs])

    write(
        [
            figure("logs.paced.kept", min(r["kept_percent"] for r in paced), "% min", ">= 100", RUNS),
            figure("logs.paced.cpu", of(paced, "cpu_percent"), "% of a core", "<= 20", RUNS),
            figure("logs.container.kept", min(r["kept_percent"] for r in contained), "% min", ">= 100", RUNS),
            figure("logs.container.cpu", of(contained, "cpu_percent"), "% of a core", "<= 20", RUNS),
            figure("logs.hurried.kept", min(r["kept_percent"] for r in hurried), "% min", "shown", RUNS),
            figure("logs.hurried.rate", of(hurried, "kept_per_second"), "lines/s", ">= 20000", RUNS),
            figure("logs.hurried.cpu_per_line", of(hurried, "us_per_line"), "us", "shown", RUNS),
        ]
    )


if __name__ == "__main__":
    main()
