#!/usr/bin/env python3
"""From a node's death to the first message that its replacement handles, p50 over many sessions, by what is lost.

The node, a process of the host or in a container, writes CLOCK_MONOTONIC right before it dies by SIGKILL, its
replacement when it handles its first message; both import nothing but the SDK. A container is killed through its first
process. Each run also checks that every message arrived once and in order: those lost, sent twice and out of order are
figures.

Under fire, one session per shape sees many kills, at instants that a seed decides, while its source sends as fast as
it can: a node with three outputs for each message, killed between them as a rule, and one whose output has three
consumers. A message that it was handling is handled again; `restart.SHAPE.suppressed` says how many outputs for it were
not sent a second time, `.twice` how many were. Times there are from the kill(2) of the bench to the first message that
the replacement handles.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures import PENSTOCK, container_of, figure, median, node, percentile, write, write_pipeline

# What dies: how many times, and the goal in milliseconds.
RUNS = {"process": (30, 150), "warm_container": (20, 200), "container": (10, 800)}
MESSAGES = 2000
# Under fire: outputs for each message, and consumers of each output.
SHAPES = {"outputs3": (3, 1), "fanout": (1, 3)}
KILLS, BETWEEN_S, PATIENCE_S = 40, (0.05, 0.4), 60
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

class Endless(penstock.Node):
    def process(self):
        i = 0
        while not self.stop_requested:
            yield Text(str(i))
            i += 1

class Parts(penstock.Node):
    def setup(self, params):
        self.outputs, self.first = params["outputs"], True
    def process(self, text: Text):
        if self.first:
            print("handles", os.getpid(), time.monotonic_ns(), flush=True)
        self.first = False
        for part in range(self.outputs):
            yield Text(f"{text.text}.{part}")
            time.sleep(0.0005)

class Write(penstock.Node):
    def setup(self, params):
        self.file = open(params["path"], "a", buffering=1)
    def process(self, text: Text) -> None:
        self.file.write(text.text + "\\n")
"""


@dataclass
class Account:
    """What became of messages on their way to one consumer."""

    lost: int = 0
    twice: int = 0
    reordered: int = 0

    @classmethod
    def of(cls, got: list[str], expected: list[str]) -> Account:
        if strangers := set(got) - set(expected):
            raise SystemExit(f"messages came that nobody had sent: {sorted(strangers)[:5]}")
        once = list(dict.fromkeys(got))
        place = {text: number for number, text in enumerate(expected)}
        order = [place[text] for text in once]
        return cls(
            lost=len(expected) - len(once),
            twice=len(got) - len(once),
            reordered=sum(later < earlier for earlier, later in zip(order, order[1:])),
        )

    def add(self, other: Account) -> None:
        self.lost += other.lost
        self.twice += other.twice
        self.reordered += other.reordered


def one(folder: Path, how: str) -> tuple[float, Account]:
    """Milliseconds from death to the first message, and what became of all of them."""
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
    account = Account.of(out.read_text().split(), [str(number) for number in range(MESSAGES)])
    counted = sum(edge["lost"] for edge in json.loads(report.read_text())["edges"])
    if counted != account.lost:
        raise SystemExit(f"{account.lost} messages are lost, but the report says {counted}")
    return (int(again[1]) - died) / 1e6, account


def under_fire(folder: Path, outputs: int, consumers: int) -> tuple[list[float], Account, dict[str, Any]]:
    """Milliseconds from each kill to the next message; what became of all messages; the report."""
    retry = {"max_attempts": 100, "backoff": "0s"}
    parts = node("parts", "nodes:Parts", params={"outputs": outputs}, on_failure="restart", retry=retry)
    paths = [folder / f"sink{number}" for number in range(consumers)]
    for path in paths:
        path.unlink(missing_ok=True)
    sinks = [node(path.name, "nodes:Write", params={"path": str(path)}) for path in paths]
    edges = [{"from": "source", "to": "parts"}] + [{"from": "parts", "to": path.name} for path in paths]
    manifest = write_pipeline(folder, [node("source", "nodes:Endless"), parts, *sinks], edges)
    report = folder / "report"
    gaps = random.Random(1)
    times: list[float] = []
    killed = 0
    spoken = ""
    watchdog = threading.Timer(0, str)
    with subprocess.Popen(
        [str(PENSTOCK), "run", str(manifest), "--report", str(report)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            spoken += line
            if not line.startswith("[parts] handles"):
                continue
            watchdog.cancel()
            watchdog = threading.Timer(PATIENCE_S, process.kill)
            watchdog.start()
            pid, handles = (int(word) for word in line.split()[2:])
            if killed:
                times.append((handles - killed) / 1e6)
            time.sleep(gaps.uniform(*BETWEEN_S))
            if len(times) == KILLS:
                process.send_signal(signal.SIGINT)  # what is on its way is handled
            else:
                killed = time.monotonic_ns()
                os.kill(pid, signal.SIGKILL)
    watchdog.cancel()
    if process.returncode != 130:
        raise SystemExit(
            f"an unexpected run, or one that stood still for {PATIENCE_S} s after {len(times)} kills:\n{spoken[-8000:]}"
        )
    found = json.loads(report.read_text())
    sent = next(edge["sent"] for edge in found["edges"] if edge["id"].startswith("source."))
    expected = [f"{number}.{part}" for number in range(sent) for part in range(outputs)]
    account = Account()
    for path in paths:
        account.add(Account.of(path.read_text().split(), expected))
    return times, account, found


TITLES = {
    "process": "a process",
    "warm_container": "a worker, its container stays",
    "container": "a container",
    "outputs3": "a process under fire, 3 outputs a message",
    "fanout": "a process under fire, 3 consumers",
}


def print_row(what: str, times: list[float], account: Account, suppressed: str = "-") -> None:
    """For docs/reliability.md; the first one comes with the head of the table."""
    if what == next(iter(TITLES)):
        print("| what is lost | crashes | next message after, p50 / p99 | lost | doubled | out of order | suppressed |")
        print("|---|---|---|---|---|---|---|")
    taken = f"{median(times):.0f} / {percentile(times, 99):.0f} ms"
    cells = [TITLES[what], len(times), taken, account.lost, account.twice, account.reordered, suppressed]
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def figures_under_fire(folder: Path) -> list[dict[str, Any]]:
    figures = []
    for shape, (outputs, consumers) in SHAPES.items():
        times, account, report = under_fire(folder, outputs, consumers)
        suppressed = sum(edge["suppressed"] for edge in report["edges"])
        print_row(shape, times, account, f"{suppressed / len(times):.1f} a crash")
        id, kills = f"restart.{shape}", len(times)
        figures += [
            figure(id, median(times), "ms p50", "<= 150", kills),
            figure(f"{id}.p99", percentile(times, 99), "ms p99", "shown", kills),
            figure(f"{id}.lost", account.lost, "messages", "<= 0", kills),
            figure(f"{id}.twice", account.twice / kills, "messages a crash", f"<= {outputs * consumers}", kills),
            figure(f"{id}.suppressed", suppressed / kills, "messages a crash", "shown", kills),
            figure(f"{id}.reordered", account.reordered, "messages", "<= 0", kills),
        ]
    return figures


def main() -> None:
    figures = []
    total = Account()
    runs = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nodes.py").write_text(NODES)
        for how, (count, goal) in RUNS.items():
            results = [one(folder, how) for _ in range(count)]
            times = [taken for taken, _ in results]
            account = Account()
            for _, each in results:
                account.add(each)
            total.add(account)
            print_row(how, times, account)
            runs += count
            figures.append(figure(f"restart.{how}", median(times), "ms p50", f"<= {goal}", count))
            figures.append(figure(f"restart.{how}.p99", percentile(times, 99), "ms p99", "shown", count))
        figures += figures_under_fire(folder)
    for what in ("lost", "twice", "reordered"):
        figures.append(figure(f"restart.{what}", getattr(total, what), "messages", "<= 0", runs))
    write(figures)


if __name__ == "__main__":
    main()
