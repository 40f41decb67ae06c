#!/usr/bin/env python3
"""CPU time of an idle running pipeline: a source that waits, a container and a native sink, all processes together."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from figures import PENSTOCK, figure, node, write, write_pipeline

SECONDS = 20
NODES = """
import threading
import penstock
from penstock import Text

class Wait(penstock.Node):
    def process(self):
        yield Text("once")
        threading.Event().wait()

class Pass(penstock.Node):
    def process(self, text: Text) -> Text:
        return text
"""


def descendants(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


def cpu_seconds(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def container_pids(session: str) -> list[int]:
    ids = subprocess.run(
        ["docker", "ps", "-q", "--filter", f"label=penstock.session={session}"],
        capture_output=True,
        text=True,
        check=True,
    )
    pids = []
    for container in ids.stdout.split():
        state = subprocess.run(
            ["docker", "inspect", "-f", "{{.State.Pid}}", container], capture_output=True, text=True, check=True
        )
        pids += descendants(int(state.stdout))
    return pids


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nodes.py").write_text(NODES)
        nodes = [node("wait", "nodes:Wait"), node("pass", "nodes:Pass", python="3.11"), node("sink", "text.sink")]
        manifest = write_pipeline(folder, nodes, [{"from": "wait", "to": "pass"}, {"from": "pass", "to": "sink"}])
        with subprocess.Popen(
            [str(PENSTOCK), "run", str(manifest)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            session = next(line.split()[1] for line in process.stderr if line.startswith("session "))
            process.stdout.readline()  # the one message has passed everything
            pids = descendants(process.pid) + container_pids(session)
            before, began = cpu_seconds(pids), time.monotonic()
            time.sleep(SECONDS)  # the measured stretch itself
            used, elapsed = cpu_seconds(pids) - before, time.monotonic() - began
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)  # the second ends it at once
            process.communicate()
    write([figure("idle.cpu", 100 * used / elapsed, "% of a core", "< 0.5", 1)])


if __name__ == "__main__":
    main()
