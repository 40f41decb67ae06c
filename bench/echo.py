#!/usr/bin/env python3
"""Python ↔ Python echo through the SDK's ordinary handlers, nobody spinning: half the round trip, p50.

Three pairs of nodes live in one session and take turns, round by round: process ↔ process, container ↔ container,
container ↔ process (mixed). Copied: the sender writes the payload into shared memory and the other end does the same
with what it got. Loaned: both write eight bytes into a loaned buffer of the full size, so nothing is copied.
"""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from figures import PENSTOCK, figure, median, node, write

ROUNDS = 9
COPIED = {8: 2000, 4096: 2000, 400_000: 400, 4_000_000: 60}  # bytes: round trips a round
LOANED = {8: 2000, 4096: 2000, 400_000: 1000, 4_000_000: 1000, 40_000_000: 1000}
GOALS = {8: "<= 12", 4096: "<= 12", 400_000: "<= 30", 4_000_000: "shown"}
PAIRS = {"process": (None, None), "container": ("3.11", "3.11"), "mixed": ("3.11", None)}

NODES = '''
import statistics, time
import penstock
from penstock import Bytes, Json, Text


class Start(penstock.Node):
    def process(self):
        yield Text("start")


class Conductor(penstock.Node):
    """Gives the pairs their turns, one at a time."""

    inputs = {"start": Text, "result": Json}
    outputs = {"go": Json, "out": Json}

    def setup(self, params):
        self.turns = params["turns"]
        self.results = []

    def on_start(self, start):
        self.next()

    def on_result(self, result):
        self.results.append(result.value)
        self.next()

    def next(self):
        if len(self.results) < len(self.turns):
            self.emit("go", Json(self.turns[len(self.results)]))
        else:
            self.emit("out", Json(self.results))


class Ping(penstock.Node):
    inputs = {"go": Json, "echo": Bytes}
    outputs = {"out": Bytes, "result": Json}

    def setup(self, params):
        self.pair = params["pair"]

    def on_go(self, go):
        if go.value["pair"] != self.pair:
            return
        self.turn, self.times = go.value, []
        self.payload = bytes(self.turn["bytes"])
        self.send()

    def on_echo(self, echo):
        now = time.perf_counter_ns()
        data = echo.data
        assert len(data) == self.turn["bytes"] and data[0] == (7 if self.turn["loaned"] else 0)
        self.times.append(now - self.sent)
        if len(self.times) < self.turn["count"]:
            self.send()
        else:
            half = [t / 2000 for t in self.times[len(self.times) // 10:]]
            self.emit("result", Json({**self.turn, "p50": statistics.median(half)}))

    def send(self):
        self.sent = time.perf_counter_ns()
        if self.turn["loaned"]:
            loan = self.loan_bytes(self.turn["bytes"], port="out")
            loan.data[0:8] = b"\\x07" * 8
            self.emit("out", loan)
        else:
            self.emit("out", Bytes(self.payload))


class Pong(penstock.Node):
    def process(self, message: Bytes) -> Bytes:
        data = message.data
        if data[0] != 7:
            return Bytes(data)
        loan = self.loan_bytes(len(data))
        loan.data[0:8] = data[0:8]
        return loan
'''


def turns() -> list[dict[str, Any]]:
    order = []
    for number in range(ROUNDS):
        for loaned, sizes in ((False, COPIED), (True, LOANED)):
            for size, count in sizes.items():
                pairs = list(PAIRS) if not loaned else ["container"]
                for pair in pairs if number % 2 == 0 else reversed(pairs):
                    order.append({"pair": pair, "bytes": size, "count": count, "loaned": loaned, "round": number})
    return order


def manifest(folder: Path) -> Path:
    nodes = [
        node("start", "nodes:Start"),
        node("conductor", "nodes:Conductor", params={"turns": turns()}),
        node("out", "json.sink"),
    ]
    connections: list[dict[str, Any]] = [
        {"from": "start", "to": "conductor", "to_input": "start"},
        {"from": "conductor", "from_output": "out", "to": "out"},
    ]
    for pair, (ping, pong) in PAIRS.items():
        nodes += [
            node(f"ping-{pair}", "nodes:Ping", python=ping, params={"pair": pair}),
            node(f"pong-{pair}", "nodes:Pong", python=pong),
        ]
        # Cycles close through edges that drop rather than block; with one message in flight nothing is ever dropped.
        small = {"depth": 2, "max_held": 1}
        loop = {"policy": "drop_oldest", **small}
        connections += [
            {"from": "conductor", "from_output": "go", "to": f"ping-{pair}", "to_input": "go"},
            {"from": f"ping-{pair}", "from_output": "out", "to": f"pong-{pair}", **small},
            {"from": f"pong-{pair}", "to": f"ping-{pair}", "to_input": "echo", **loop},
            {"from": f"ping-{pair}", "from_output": "result", "to": "conductor", "to_input": "result", **loop},
        ]
    for entry in nodes:
        if "docker" in entry:
            entry["docker"]["resource_limits"]["memory_mb"] = 1536  # 40 MB messages, a few at a time
    path = folder / "pipeline.json"
    path.write_text(
        json.dumps(
            {
                "version": "v1",
                "metadata": {"name": "echo"},
                "nodes": nodes,
                "connections": connections,
                "session": {"shm_quota_mb": 16384},
            }
        )
    )
    return path


def measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nodes.py").write_text(NODES)
        with subprocess.Popen(
            [str(PENSTOCK), "run", "--quiet", str(manifest(folder))], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            # A pipeline with a cycle has no end of its own.
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)  # the second ends it at once
        if not line:
            raise SystemExit("the echo pipeline ended without a result")
        return json.loads(line)["value"]


def main() -> None:
    results = measure()

    def p50s(pair: str, size: int, loaned: bool) -> list[float]:
        return [r["p50"] for r in results if (r["pair"], r["bytes"], r["loaned"]) == (pair, size, loaned)]

    figures = []
    for size in COPIED:
        base = p50s("process", size, False)
        figures.append(figure(f"echo.process.{size}", median(base), "us p50", GOALS[size], ROUNDS))
        for pair in ("container", "mixed"):
            values = p50s(pair, size, False)
            ratio = median([value / other for value, other in zip(values, base)])
            figures.append(
                figure(
                    f"echo.{pair}.{size}",
                    median(values),
                    "us p50",
                    "ratio <= 1.10 or within 1 us",
                    ROUNDS,
                    against=median(base),
                    ratio=ratio,
                )
            )
    smallest = p50s("container", min(LOANED), True)
    for size in LOANED:
        values = p50s("container", size, True)
        ratio = median([value / other for value, other in zip(values, smallest)])
        figures.append(
            figure(
                f"echo.loaned.{size}",
                median(values),
                "us p50",
                "ratio <= 1.5",
                ROUNDS,
                against=median(smallest),
                ratio=ratio,
            )
        )
    write(figures)


if __name__ == "__main__":
    main()
