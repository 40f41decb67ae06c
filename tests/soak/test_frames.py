"""1080p video for an hour: nothing grows, neither memory nor descriptors, threads, files or what the engine has.

PENSTOCK_SOAK_MINUTES says how long, an hour by default. The samples are left in build/soak/frames.csv, what they came
to in build/soak/frames.json; tools/soak_plots.py draws them.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import RESULTS, Running, User
from host_view import holders, memory_of, started_with
from sampling import Place, Recorder, Trend, beyond_realms, docker, sample, trends, volumes_of

MINUTES = float(os.environ.get("PENSTOCK_SOAK_MINUTES", "60"))
FPS = 30
FRAME = 1080 * 1920 * 3
HELD = 3
LIMITS = {"memory_mb": 256, "cpu_cores": 1}
NODES = ["camera", "track", "preview", "tally"]


@dataclass(frozen=True)
class Length:
    """Of a run: until both are reached."""

    seconds: float
    samples: int
    period: float  # seconds between two samples
    warm_up: int = 0  # samples that nothing is told from


def container(python: str) -> dict[str, Any]:
    return {"python_version": python, "resource_limits": LIMITS, "keep_warm": 0}


def video(user: User) -> None:
    """Process → containers → process, over edges that wait and edges that lose; frames are kept as long as allowed."""
    user.write(
        [
            {"id": "camera", "node_type": "nodes:Camera", "params": {"fps": FPS}},
            {"id": "track", "node_type": "nodes:Track", "params": {"keeps": HELD}, "docker": container("3.11")},
            {"id": "preview", "node_type": "nodes:Preview", "params": {"busy_ms": 100}, "docker": container("3.11")},
            {"id": "tally", "node_type": "nodes:Tally"},
        ],
        [
            {"from": "camera", "to": "track", "depth": 4, "max_held": HELD, "expected_bytes": FRAME},
            {"from": "camera", "to": "preview", "policy": "drop_oldest", "depth": 2, "max_held": 0},
            {"from": "track", "to": "tally"},
        ],
    )


def place_of(user: User, running: Running) -> Place:
    place = Place(running.process.pid, user.runtime, user.state)
    while len(place.workers) < len(NODES):
        node, _, pid = running.read_until("] pid ").lstrip("[").partition("] pid ")
        place.workers[node] = int(pid)
    running.read_until(" runs")
    label = f"label=penstock.directory={user.runtime}/penstock/c"
    for container in docker("ps", "-q", "--no-trunc", "--filter", label).split():
        place.add_container(container)
    return place


def record(place: Place, running: Running, recorder: Recorder, length: Length) -> None:
    """Until the time is over. A session that ends by itself before is a failure."""
    roles, begin = place.roles(), time.monotonic()
    assert {"runtime", *NODES} <= set(roles), roles
    while (now := time.monotonic() - begin) < length.seconds or len(recorder.rows) < length.samples:
        recorder.add(now, sample(place, roles))
        try:
            code = running.process.wait(length.period)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"it ended with {code} after {now:.0f} s:\n{running.stderr.read()}")


def check_accounts(report: dict[str, Any], tally: int) -> None:
    edges = {edge["id"]: edge for edge in report["edges"]}
    track, preview = edges["camera.out->track.in"], edges["camera.out->preview.in"]
    assert track["sent"] == track["delivered"] == track["acknowledged"] == tally > 0
    assert preview["sent"] == preview["delivered"] + preview["lost"] == tally
    assert preview["delivered"] > 0
    assert all(node["restarts"] == node["quarantined"] == 0 for node in report["nodes"])


def summary(report: dict[str, Any], recorder: Recorder, found: list[Trend]) -> dict[str, Any]:
    """What a reader of the plots needs to know: figures of this run, and what it ran on."""
    timeline = report["timeline_s"]
    edges = {edge["id"]: edge for edge in report["edges"]}
    sent = edges["camera.out->track.in"]["sent"]
    return {
        "seconds": recorder.rows[-1]["seconds"],
        "samples": len(recorder.rows),
        "frames": sent,
        "frames_per_second": sent / (timeline["ended"] - timeline["started"]),
        "frame_bytes": FRAME,
        "previewed": edges["camera.out->preview.in"]["delivered"],
        "lost_by_preview": edges["camera.out->preview.in"]["lost"],
        "blocked_s": edges["camera.out->track.in"]["blocked_ns"] / 1e9,
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "trends": [
            {"series": each.series, "early": each.early, "late": each.late, "allowed": each.allowed} for each in found
        ],
    }


def stream(user: User, length: Length, results: Path) -> None:
    video(user)
    recorder = Recorder(results / "frames.csv")
    with user.start() as running:
        place = place_of(user, running)
        volumes, memory = volumes_of(place.containers), memory_of(running.process.pid)
        record(place, running, recorder, length)
        assert volumes_of(place.containers) == volumes == set(), "containers got volumes or networks"
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130, "".join(running.lines[-40:])
    report = json.loads(running.report.read_text())
    tally = next(line for line in running.lines if "[tally] tally " in line)
    check_accounts(report, int(tally.split()[-1]))
    found = trends(recorder.rows[length.warm_up :])
    (results / "frames.json").write_text(json.dumps(summary(report, recorder, found), indent=1) + "\n")
    grown = [str(trend) for trend in found if not trend.is_flat]
    assert grown == [], "\n".join(grown)
    assert beyond_realms(recorder.rows) == []
    assert holders(memory) == set()
    assert started_with(f"XDG_RUNTIME_DIR={user.runtime}") == set()


def test_video_is_sampled_as_it_will_be_for_an_hour(user: User, tmp_path: Path) -> None:
    """The short form, so that what is measured and how it is judged is tried with every change."""
    stream(user, Length(seconds=0, samples=30, period=0.3, warm_up=10), tmp_path / "results")


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_an_hour_of_video_leaves_everything_flat(user: User) -> None:
    stream(user, Length(seconds=60 * MINUTES, samples=10, period=3.0), RESULTS)


def test_a_series_that_grows_is_found(tmp_path: Path) -> None:
    """The judgement itself: a leak of memory, of one descriptor and of one container are told, noise is not."""
    recorder = Recorder(tmp_path / "made.csv")
    for step in range(100):
        noise = (step * 7919) % 13 * 1000
        row = {"a.anon": 30e6 + noise, "b.anon": 30e6 + step * FRAME / 20, "a.descriptors": 50, "b.descriptors": 50}
        recorder.add(step, {**row, "b.descriptors": 50 + (step > 50), "engine.containers": 2 + (step > 90)})
    grown = [trend.series for trend in trends(recorder.rows) if not trend.is_flat]
    assert grown == ["b.anon", "b.descriptors", "engine.containers"]
