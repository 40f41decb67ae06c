"""A short run of `./dev chaos`, from fixed seeds: each kind of fault and each kind of end at least once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from endings import ENDINGS
from faults import FAULTS, QUARANTINE, TOGETHER
from features import FEATURES

HERE = Path(__file__).parent
DEADLINE = 500  # seconds until a hanging run is a failed test; nothing is measured against it

pytestmark = pytest.mark.timeout(DEADLINE + 60)

# By seed: the kinds of faults, none of them twice in a round as long as there are others, and how the session ends.
PROCESSES = {
    1: (("kill", "segfault", "pause", "keeper kill", "kill twice", "slow start"), "finish"),
    2: (
        (
            "exception before outputs",
            "exception between outputs",
            "exception after outputs",
            "exception anywhere",
            "exit between outputs",
            "segfault in a handler",
        ),
        "stop",
    ),
    3: (
        ("too much shared memory", "runtime pause", "full disk", "stopped beyond process_timeout", "hang"),
        "interrupt",
    ),
    4: ((QUARANTINE, TOGETHER), "interrupt"),
}
# By seed: what the nodes of its pipeline have beyond those of the others, who is struck, by what, and how often.
FEATURED = {
    11: ("sources,states", "source step", ("kill", "keeper kill", "exit between outputs", "pause", TOGETHER), 5),
    12: ("natives", "native step", ("kill", "segfault", "keeper kill", "pause", TOGETHER), 5),
    46: ("left out", "step", ("kill", "exception after outputs", "keeper kill", "failing start"), 6),
    14: ("joins,fan-in,fail", "step", ("kill", "exit between outputs", "pause", TOGETHER), 4),
    15: ("deadlines", "step", ("hang beyond a deadline",), 2),
}
CHEATS = {
    **dict.fromkeys(("drop", "repeat", "reorder", "change", "renumber"), "plain"),
    "forget": "states",
    "miscount": "sources",
}
CONTAINERS = {5: tuple(kind for kind, fault in FAULTS.items() if fault.containers)}


def chaos(
    report: Path, seed: int, *arguments: str, env: dict[str, str] | None = None
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    command = [
        sys.executable,
        HERE / "chaos.py",
        "--seed",
        str(seed),
        "--rounds",
        "1",
        "--report",
        report,
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE, env=env)
    return done, json.loads(report.read_text())


def must_be_good(report: Path, seed: int, *arguments: str) -> dict[str, Any]:
    done, told = chaos(report, seed, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert told["violations"] == []
    assert told["handled"] > 0 or "--groups" in arguments
    return told


def need_root(needed: bool) -> None:
    if needed and os.geteuid() != 0:
        pytest.skip("a small disk that nobody else sees is mounted by root")


@pytest.mark.parametrize("seed", PROCESSES, ids=[faults[-1] for faults, _ in PROCESSES.values()])
def test_faults_of_processes_lose_repeat_and_change_nothing_but_what_is_predicted(tmp_path: Path, seed: int) -> None:
    faults, ending = PROCESSES[seed]
    need_root("full disk" in faults)
    arguments = ("--features", "plain", "--faults", ",".join(faults), "--ending", ending)
    told = must_be_good(tmp_path / "report.json", seed, *arguments)
    assert set(told["faults"]) == set(faults)
    assert told["endings"] == {ending: 1}


@pytest.mark.parametrize("seed", FEATURED, ids=[features for features, *_ in FEATURED.values()])
def test_whatever_node_is_struck_loses_repeats_and_changes_nothing(tmp_path: Path, seed: int) -> None:
    features, struck, faults, groups = FEATURED[seed]
    arguments = ("--features", features, "--faults", ",".join(faults), "--ending", "interrupt", "--groups", str(groups))
    told = must_be_good(tmp_path / "report.json", seed, *arguments)
    assert set(told["faults"]) == set(faults)
    assert set(told["struck"]) == set(struck.split())
    assert (told["left_out"] > 1) == (features == "left out")


def test_every_feature_is_among_these() -> None:
    assert {name for features, *_ in FEATURED.values() for name in features.split(",")} == set(FEATURES)


@pytest.mark.parametrize("seed", CONTAINERS)
def test_faults_of_containers_lose_repeat_and_change_nothing(tmp_path: Path, seed: int) -> None:
    faults = CONTAINERS[seed]
    arguments = ["--containers", "--features", "plain", "--faults", ",".join(faults), "--ending", "interrupt"]
    told = must_be_good(tmp_path / "report.json", seed, *arguments)
    assert set(told["faults"]) == set(faults)


def test_every_fault_is_among_these() -> None:
    played = [faults for faults, _ in PROCESSES.values()] + [faults for _, _, faults, _ in FEATURED.values()]
    assert {kind for faults in [*played, *CONTAINERS.values()] for kind in faults} == {*FAULTS, TOGETHER, QUARANTINE}


@pytest.mark.parametrize("ending", [kind for kind, ending in ENDINGS.items() if ending.aborts])
def test_a_session_that_cannot_go_on_says_why_and_leaves_nothing(tmp_path: Path, ending: str) -> None:
    need_root(ENDINGS[ending].small_disk)
    told = must_be_good(tmp_path / "report.json", 6, "--features", "plain", "--groups", "0", "--ending", ending)
    assert told["endings"] == {ending: 1}


@pytest.mark.parametrize("sabotage", CHEATS)
def test_a_node_that_cheats_is_found_out(tmp_path: Path, sabotage: str) -> None:
    report = tmp_path / "report.json"
    short = ("--features", CHEATS[sabotage], "--groups", "0", "--ending", "interrupt")
    here = {**os.environ, "TMPDIR": str(tmp_path)}  # what is kept of a violation
    done, told = chaos(report, 300, *short, "--sabotage", sabotage, env=here)
    assert done.returncode == 1
    (violation,) = told["violations"]
    assert violation["violation"].startswith("after the end: interrupt: ")  # not before
    assert "--seed 300" in done.stdout and f"--sabotage {sabotage}" in done.stdout
    (kept,) = [Path(line.rpartition(": ")[2]) for line in done.stdout.splitlines() if "manifest" in line]
    assert (kept / "pipeline.json").exists() and (kept / "stderr.txt").exists()
