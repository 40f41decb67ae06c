"""Random pipelines under random faults, against what their sinks must see: `./dev chaos --seed S --minutes N`.

Every round prints its seed; the same seed makes the same pipeline and the same faults, though not at the same instants.
One fault at a time: a node is struck again, or its neighbour, only when its successor runs. Then nothing may be lost,
repeated, changed or out of order, and every edge's account must add up.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pipelines import Pipeline, generate

REPOSITORY = Path(__file__).parents[2]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
PATIENCE = 120  # seconds until a pipeline that says nothing is a violation; nothing is measured against it
FAULTS_A_ROUND = 6


class ViolationError(Exception):
    """The pipeline did not do what was predicted."""


class Run:
    """A session under way, whose stderr says which process each node is."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline, self.pids, self.lines, self.session = pipeline, {}, [], ""
        self.report = pipeline.folder / "report.json"
        manifest = pipeline.write()
        self.process = subprocess.Popen(
            [str(PENSTOCK), "run", str(manifest), "--report", str(self.report)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        signal.signal(signal.SIGALRM, self._too_long)
        self.learn(set(pipeline.mixers))
        if not self.session:
            self.read_until("session ")

    def _too_long(self, *_: object) -> None:
        self.process.kill()

    def read_until(self, *texts: str) -> str:
        assert self.process.stderr is not None
        signal.alarm(PATIENCE)
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("session "):
                self.session = line.split()[1]
            if any(text in line for text in texts):
                signal.alarm(0)
                return line
        raise ViolationError(f"it ended, or said nothing for {PATIENCE} s, without {' or '.join(texts)!r}")

    def learn(self, names: set[str]) -> None:
        """Waits until each of `names` has said its pid, and the runtime that it is ready."""
        silent, starting = set(names), set(names)
        while silent or starting:
            line = self.read_until(": ", "] pid ")
            if "] pid " in line:
                name = line[1 : line.index("]")]
                self.pids[name] = int(line.rpartition(" ")[2])
                silent.discard(name)
            elif line.startswith(("node is ready: ", "node runs again ")):
                starting.discard(line.split()[-1])

    def strike(self, name: str, fault: str) -> None:
        if name in self.pipeline.containers:
            container = docker(
                "ps",
                "-q",
                "--filter",
                f"label=penstock.session={self.session}",
                "--filter",
                f"label=penstock.node={name}",
            ).strip()
            if fault == "container kill":
                docker("kill", container)
            elif fault == "container removal":
                docker("rm", "-f", container)
            else:
                os.kill(worker_in(container), SIGNALS[fault])
        else:
            self.signal_worker(name, SIGNALS[fault])
        self.learn({name})

    def signal_worker(self, name: str, number: int) -> None:
        while True:
            try:
                return os.kill(self.pids[name], number)
            except ProcessLookupError:  # it has been replaced meanwhile
                self.learn({name})

    def end(self) -> dict[str, Any]:
        self.process.send_signal(signal.SIGINT)
        assert self.process.stderr is not None
        signal.alarm(PATIENCE)
        self.lines += self.process.stderr.readlines()
        code = self.process.wait()
        signal.alarm(0)
        if code != 130:
            raise ViolationError(f"it ended with {code} instead of 130")
        return json.loads(self.report.read_text())  # type: ignore[no-any-return]


SIGNALS = {"kill": signal.SIGKILL, "segfault": signal.SIGSEGV, "exception": signal.SIGUSR1}


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout


def worker_in(container: str) -> int:
    lines = docker("top", container, "-eo", "pid,args").splitlines()
    return int(next(line.split()[0] for line in lines if "penstock.worker" in line))


def check(pipeline: Pipeline, report: dict[str, Any]) -> int:
    """How many messages arrived. Raises when they are not exactly those that were predicted."""
    sent: dict[str, int] = {}
    for edge in report["edges"]:
        if edge["sent"] != edge["delivered"] + edge["lost"] or edge["lost"] != 0:
            raise ViolationError(f"the account of {edge['id']} does not add up, or something was lost: {edge}")
        sent[edge["id"].split(".")[0]] = edge["sent"]
    arrived = 0
    for sink, paths in pipeline.sinks.items():
        seen: dict[str, list[int]] = collections.defaultdict(list)
        for line in (pipeline.folder / sink).read_text().splitlines():
            path, index = line.split(" ")
            seen[path].append(int(index))
        expected = collections.Counter(paths)
        if set(seen) - set(expected):
            raise ViolationError(f"{sink} saw paths that there are not: {set(seen) - set(expected)}")
        for path, ways in expected.items():
            count = sent[path.split("/")[0]]
            got = seen[path]
            if collections.Counter(got) != dict.fromkeys(range(count), ways):
                wrong = {i: n for i, n in collections.Counter(got).items() if n != ways}
                raise ViolationError(
                    f"{sink} saw {len(got)} of {count} × {ways} messages of {path}; not as often: {wrong}"
                )
            if ways == 1 and got != sorted(got):
                raise ViolationError(f"{sink} saw messages of {path} out of order")
            arrived += len(got)
    return arrived


def play(seed: int, containers: bool, counts: collections.Counter[str]) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="penstock-chaos-") as name:
        pipeline = generate(seed, Path(name), containers)
        run = Run(pipeline)
        try:
            for _ in range(FAULTS_A_ROUND):
                target = dice.choice(pipeline.mixers)
                kinds = list(SIGNALS) + (
                    ["container kill", "container removal"] if target in pipeline.containers else []
                )
                fault = dice.choice(kinds)
                run.strike(target, fault)
                counts[fault] += 1
            counts["messages"] += check(pipeline, run.end())
        except ViolationError as violation:
            print("".join(run.lines[-60:]), file=sys.stderr)
            raise ViolationError(f"seed {seed}{' --containers' if containers else ''}: {violation}") from None
        finally:
            run.process.kill()
            run.process.wait()
            assert run.process.stderr is not None
            run.process.stderr.close()
    counts["rounds"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="of the first round (default: the time)")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=None, help="so many, however long they take")
    parser.add_argument("--containers", action="store_true", help="some nodes in containers")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(time.time())
    end = time.monotonic() + 60 * options.minutes
    counts: collections.Counter[str] = collections.Counter()
    try:
        while counts["rounds"] < options.rounds if options.rounds is not None else time.monotonic() < end:
            play(seed, options.containers, counts)
            print(f"seed {seed}: good", flush=True)
            seed += 1
    except ViolationError as violation:
        print(f"VIOLATED: {violation}", file=sys.stderr)
        return 1
    finally:
        print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
