"""A short run of `./dev chaos`, from fixed seeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("seed", "rounds", "containers"), [(1, 3, False), (100, 1, True)], ids=["processes", "containers"]
)
def test_faults_lose_repeat_and_change_nothing(seed: int, rounds: int, containers: bool) -> None:
    command = [sys.executable, HERE / "chaos.py", "--seed", str(seed), "--rounds", str(rounds)]
    done = subprocess.run(
        command + (["--containers"] if containers else []), capture_output=True, text=True, check=False, cwd=HERE
    )
    assert done.returncode == 0, done.stdout + done.stderr
