"""What `./dev soak` takes, and what is drawn of what it has sampled."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import soak_plots
from repository import ROOT


def write_results(folder: Path, seconds: float) -> Path:
    folder.mkdir()
    series = ["runtime.anon", "runtime.shmem", "session.realms", "track.cgroup", "runtime.descriptors"]
    series += ["runtime.threads", "session.processes", "engine.containers", "session.runtime_files"]
    rows = [
        [seconds * step / 999, *((7919 * step) % (10 + place) for place in range(len(series)))] for step in range(1000)
    ]
    lines = [",".join(["seconds", *series]), *(",".join(map(str, row)) for row in rows)]
    (folder / "frames.csv").write_text("\n".join(lines) + "\n")
    (folder / "frames.json").write_text(json.dumps({"seconds": seconds}))
    return folder


def draw(results: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/soak_plots.py"), str(results), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_plot_is_a_picture_of_its_series(tmp_path: Path) -> None:
    done = draw(write_results(tmp_path / "results", 3600), tmp_path / "plots")
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in (tmp_path / "plots").glob("*.svg")} == {plot.name for plot in soak_plots.PLOTS}
    for path in (tmp_path / "plots").glob("*.svg"):
        picture = ElementTree.parse(path).getroot()
        lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
        assert lines, path.name
        for line in lines:
            for x, y in (map(float, point.split(",")) for point in line.attrib["points"].split()):
                assert 0 <= x <= soak_plots.WIDTH and 0 <= y <= soak_plots.HEIGHT


def test_a_peak_is_not_lost_by_thinning() -> None:
    values = [1.0] * 5000
    values[1234] = 9.0
    thinned = soak_plots.thinned(values)
    assert len(thinned) <= soak_plots.MOST_POINTS
    assert (1234, 9.0) in thinned


def test_the_documentation_shows_no_run_that_was_shortened(tmp_path: Path) -> None:
    done = draw(write_results(tmp_path / "results", 300), ROOT / "docs/reliability")
    assert done.returncode == 1
    assert "this run took 300 s" in done.stderr


@pytest.mark.parametrize("arguments", [["--minutes", "many"], ["--minutes"], ["--only", "nothing"], ["--fast"]])
def test_a_soak_that_is_not_understood_is_not_begun(arguments: list[str]) -> None:
    done = subprocess.run([ROOT / "dev", "soak", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert arguments[0] in done.stderr
