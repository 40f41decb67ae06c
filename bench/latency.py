#!/usr/bin/env python3
"""20 ms audio frames through three containers with three Pythons, end to end (SC-002).

From emit at the source to the handler at the end, paced in real time so that every hop includes its wake-up. The
handlers only pass frames on.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from figures import PENSTOCK, figure, median, node, percentile, write, write_pipeline

FRAMES = 500
NODES = '''
import array
import time
import penstock
from penstock import Audio, Json

RATE, FRAME = 16_000, 320


class Frames(penstock.Node):
    """Silence in 20 ms frames; the media time carries the moment of the emit."""

    def process(self):
        silence = array.array("f", bytes(FRAME * 4))
        begin = time.monotonic_ns()
        for i in range(FRAMES):
            if not self.sleep_until(begin + i * 20_000_000):
                return
            yield Audio(silence, RATE, time=time.monotonic_ns())


class Pass(penstock.Node):
    def process(self, frame: Audio) -> Audio:
        return frame


class End(penstock.Node):
    def setup(self, params):
        self.latencies = []

    def process(self, frame: Audio) -> None:
        self.latencies.append(time.monotonic_ns() - frame.time)

    def finish(self) -> Json:
        return Json(self.latencies)
'''


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nodes.py").write_text(NODES.replace("range(FRAMES)", f"range({FRAMES})"))
        nodes = [node("frames", "nodes:Frames")]
        nodes += [
            node(f"pass{version.replace('.', '')}", "nodes:Pass", python=version) for version in ("3.11", "3.10", "3.9")
        ]
        nodes += [node("end", "nodes:End"), node("out", "json.sink")]
        manifest = write_pipeline(folder, nodes, [{"from": a["id"], "to": b["id"]} for a, b in zip(nodes, nodes[1:])])
        done = subprocess.run(
            [str(PENSTOCK), "run", "--quiet", str(manifest)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        values = [ns / 1e6 for ns in json.loads(done.stdout.splitlines()[0])["value"]]
    write(
        [
            figure("latency.containers3", median(values), "ms p50", "< 1 (required < 100)", len(values)),
            figure("latency.containers3.p99", percentile(values, 99), "ms p99", "shown", len(values)),
        ]
    )


if __name__ == "__main__":
    main()
