"""Random starts, stops and kills of many runtimes at once: no session fails, nothing is left.

PENSTOCK_STRESS_ROUNDS and PENSTOCK_STRESS_SEED choose how many and which; a failure names its seed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import DEADLINE, User, docker

RUNTIMES = 8


@dataclass
class Round:
    manifest: Path
    ending: str  # "end", "interrupt", "kill"
    after_lines: int  # of stderr, when it is not left to end by itself


def plan_rounds(user: User, count: int, seed: int) -> list[Round]:
    choice = random.Random(seed)
    finite = [user.pipeline(name=f"finite{i}", keep_warm=keep) for i, keep in enumerate([0, "20ms", "300ms", "10s"])]
    endless = [
        user.pipeline("Endless", name=f"endless{i}", keep_warm=keep, max_sessions_per_container=3)
        for i, keep in enumerate([0, "20ms", "10s"])
    ]
    rounds = []
    for _ in range(count):
        ending = choice.choices(["end", "interrupt", "kill"], [6, 2, 2])[0]
        manifest = choice.choice(endless if ending == "interrupt" else finite if ending == "end" else finite + endless)
        rounds.append(Round(manifest, ending, choice.randrange(1, 6)))
    return rounds


def play(user: User, round: Round) -> str | None:
    """What went wrong."""
    if round.ending == "end":
        result = user.penstock("run", str(round.manifest))
        return None if result.returncode == 0 and result.stdout.strip() else f"{round}: {result.stderr}"
    with subprocess.Popen(
        user.command("run", str(round.manifest)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=user.environment(),
    ) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if len(lines) == round.after_lines:
                process.send_signal(signal.SIGKILL if round.ending == "kill" else signal.SIGINT)
        code = process.wait(DEADLINE)
    if round.ending == "kill" or code in {0, 130}:
        return None
    return f"{round}: exit code {code}: {''.join(lines)}"


def stress(user: User, count: int) -> None:
    seed = int(os.environ.get("PENSTOCK_STRESS_SEED") or random.SystemRandom().randrange(1 << 32))
    rounds = plan_rounds(user, count, seed)
    with ThreadPoolExecutor(RUNTIMES) as pool:
        failures = [failure for failure in pool.map(lambda each: play(user, each), rounds) if failure]
    assert not failures, f"seed {seed}: {len(failures)} of {count} failed:\n" + "\n".join(failures[:5])
    assert user.penstock("gc", "--warm").returncode == 0
    left = user.containers("-a")
    assert left == [], f"seed {seed}: " + docker("ps", "-a", "--no-trunc")
    entries = [path for path in user.runtime.glob("penstock/[cs]/*") if path.suffix != ".lock"]
    assert entries == [], f"seed {seed}"


def test_random_starts_stops_and_kills_leave_nothing_and_fail_nobody(user: User) -> None:
    stress(user, int(os.environ.get("PENSTOCK_STRESS_ROUNDS", "40")))


@pytest.mark.soak
@pytest.mark.timeout(5400)
def test_two_thousand_random_starts_stops_and_kills(user: User) -> None:
    stress(user, int(os.environ.get("PENSTOCK_STRESS_ROUNDS", "2000")))
