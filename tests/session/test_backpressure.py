"""A consumer that is slower than its source: who waits, what is lost, and what it costs, by the edge's policy.

The consumers of these tests take 20 ms for a message, or stand still until something has happened; sources send a
thousand messages a second or more.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL_CONTAINER, Project, Running, penstock
from host_view import realm_bytes, resident_bytes, tree

HERE = Path(__file__).parent
PLACES = pytest.mark.parametrize("container", [False, True], ids=["process", "container"])
LOSSY = pytest.mark.parametrize("policy", ["drop_oldest", "latest"])
WORK_MS = 20
RATE = 1000
FOREVER = 1 << 40
MEGABYTE = 1_000_000
# What an interpreter or an allocator may take in the course of a second; a message kept too long is more.
TOLERANCE = 4 * MEGABYTE


@dataclass
class Bench:
    """A project whose nodes have a board of counters and named pipes, also across containers."""

    project: Project

    @property
    def shared(self) -> Path:
        return self.project.folder / "shared"

    def event(self, name: str) -> str:
        os.mkfifo(self.shared / name)
        (self.shared / name).chmod(0o666)
        return name

    def node(self, id: str, cls: str, *, container: bool, **params: Any) -> dict[str, Any]:
        place: dict[str, Any] = {}
        if container:
            volume = {"host_path": str(self.shared), "container_path": "/shared"}
            place["docker"] = {"keep_warm": 0, "volumes": [volume], **SMALL_CONTAINER}
        params["folder"] = "/shared" if container else str(self.shared)
        return {"id": id, "node_type": f"nodes:{cls}", "params": params, **place}


@pytest.fixture
def bench(project: Project) -> Bench:
    shutil.copy(HERE / "backpressure_nodes.py", project.folder / "nodes.py")
    bench = Bench(project)
    bench.shared.mkdir()
    bench.shared.chmod(0o777)
    (bench.shared / "board").write_bytes(bytes(4096))
    (bench.shared / "board").chmod(0o666)
    return bench


@dataclass
class Outcome:
    """What the nodes said and what the session's accounts say."""

    results: dict[str, dict[str, Any]]
    edges: dict[str, dict[str, Any]]
    samples: list[Sample]


@dataclass
class Sample:
    """A session as it runs: its accounts, and its memory wherever it is."""

    edges: list[dict[str, Any]]
    realms: int
    runtime: int
    workers: int
    containers: int


def look(running: Running) -> Sample:
    answer = penstock("ps", "--json")
    assert answer.returncode == 0, answer.stderr
    (session,) = (each for each in json.loads(answer.stdout)["sessions"] if each.get("pid") == running.process.pid)
    own = running.process.pid
    return Sample(
        edges=session["edges"],
        realms=realm_bytes(own),
        runtime=resident_bytes(own)["anon"],
        workers=sum(resident_bytes(pid).get("anon", 0) for pid in tree(own) - {own}),
        containers=sum(node["memory_bytes"] or 0 for node in session["nodes"]),
    )


def play(bench: Bench, *, watch: str | None = None, looks: int = 0) -> Outcome:
    """Runs the pipeline to its end; or looks at it each time that node `watch` has handled some more, then stops it."""
    report, samples = bench.project.folder / "report.json", []
    with bench.project.start("--report", str(report)) as running:
        for _ in range(looks):
            running.read_until(f"[{watch}] handled ")
            samples.append(look(running))
        if looks:
            running.process.send_signal(signal.SIGINT)
        assert running.wait() == (130 if looks else 0), "".join(running.lines)
    results = {}
    for line in running.lines:
        who, said, result = line.partition("] result ")
        if said:
            results[who.lstrip("[")] = json.loads(result)
    edges = json.loads(report.read_text())["edges"]
    return Outcome(results, {edge["id"]: edge for edge in edges}, samples)


def check_flat(bench: Bench, done: Outcome, expected_bytes: int) -> None:
    """Shared memory is what the depths come to, from the first look to the last, and nothing else grows."""
    plan = penstock("plan", "--json", str(bench.project.manifest))
    outputs = json.loads(plan.stdout)["outputs"]
    declared = sum(output["slots"] * expected_bytes for output in outputs)
    (realms,) = {sample.realms for sample in done.samples}
    assert declared < realms <= sum(output["realm_bytes"] for output in outputs)
    settled = done.samples[len(done.samples) // 2 :]
    for name in ("runtime", "workers", "containers"):
        sizes = [getattr(sample, name) for sample in settled]
        assert max(sizes) - min(sizes) < TOLERANCE, (name, sizes)


def check_blocked(done: Outcome, depth: int) -> None:
    """At no time was the source further ahead than the edge is deep, and everything arrived."""
    for sample in done.samples:
        (edge,) = sample.edges
        assert edge["depth"] == depth
        assert edge["sent"] <= edge["acknowledged"] + depth, edge
    (edge,) = done.edges.values()
    assert edge["sent"] == edge["delivered"] == edge["acknowledged"], edge
    assert edge["lost"] == 0 and edge["blocked_ns"] > 0, edge


def check_counted(edge: dict[str, Any], numbers: list[int], sent: int) -> None:
    """What did not arrive is counted, exactly; what did is in order; and nobody waited."""
    assert edge["sent"] == sent
    assert edge["delivered"] == len(numbers)
    assert edge["lost"] == sent - len(numbers)
    assert edge["blocked_ns"] == 0
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == sent - 1, "the newest is not the one that goes"


def write_wav(path: Path, milliseconds: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * 16 * milliseconds))


@PLACES
@pytest.mark.parametrize("realtime", [False, True], ids=["as fast as it goes", "in real time"])
def test_a_slow_consumer_slows_a_file(bench: Bench, container: bool, realtime: bool) -> None:
    depth, size = 4, 64
    write_wav(bench.project.folder / "silence.wav", 600_000)
    params = {"url": "silence.wav", "realtime": realtime, "audio": {"frame_ms": 1}}
    listen = bench.node("listen", "Listener", container=container, work_ms=WORK_MS)
    bench.project.write(
        [{"id": "file", "node_type": "media.source", "params": params}, listen],
        [{"from": "file", "to": "listen", "depth": depth, "max_held": 0, "expected_bytes": size}],
    )
    done = play(bench, watch="listen", looks=6)
    check_blocked(done, depth)
    check_flat(bench, done, size)
    assert done.results["listen"]["handled"] == done.edges["file.out->listen.in"]["sent"]


@PLACES
@pytest.mark.parametrize(
    ("size", "held"),
    [(8, 0), (8, 3), (4 * MEGABYTE, 0), (4 * MEGABYTE, 3)],
    ids=["small", "kept", "large", "large kept"],
)
def test_a_slow_consumer_slows_a_source_with_a_pace_of_its_own(
    bench: Bench, container: bool, size: int, held: int
) -> None:
    depth = 4
    bench.project.write(
        [
            bench.node("source", "Source", container=container, n=FOREVER, rate=RATE, bytes=size),
            bench.node("slow", "Consumer", container=container, work_ms=WORK_MS, keeps=held),
        ],
        [{"from": "source", "to": "slow", "depth": depth, "max_held": held, "expected_bytes": size}],
    )
    done = play(bench, watch="slow", looks=6)
    check_blocked(done, depth)
    check_flat(bench, done, size)
    (edge,) = done.edges.values()
    assert done.results["slow"]["numbers"] == list(range(edge["sent"]))
    # What the source has counted itself, whenever the consumer looked. What is kept gives room for more memory, not for
    # more messages ahead.
    assert done.results["slow"]["most_ahead"] == depth


@PLACES
@LOSSY
@pytest.mark.parametrize("size", [8, 4 * MEGABYTE], ids=["small", "large"])
def test_a_consumer_that_stands_still_does_not_hold_up_a_source_that_may_lose(
    bench: Bench, container: bool, policy: str, size: int
) -> None:
    n, depth = 200, 1 if policy == "latest" else 3
    event = bench.event("all sent")
    bench.project.write(
        [
            bench.node("source", "Source", container=container, n=n, rate=RATE, bytes=size, announces=event),
            bench.node("slow", "Consumer", container=container, stands_until=event),
        ],
        [{"from": "source", "to": "slow", "policy": policy, "depth": depth, "expected_bytes": size}],
    )
    done = play(bench)
    # It is here, so the source has sent all while the consumer had its first message in hands.
    numbers = done.results["slow"]["numbers"]
    check_counted(done.edges["source.out->slow.in"], numbers, n)
    # The first that it took may have been one of the last, when it was late.
    assert numbers[1:] == list(range(max(numbers[0] + 1, n - depth), n))


@PLACES
@LOSSY
def test_every_loss_of_a_slow_consumer_is_counted(bench: Bench, container: bool, policy: str) -> None:
    depth = 1 if policy == "latest" else 8
    bench.project.write(
        [
            bench.node("source", "Source", container=container, n=FOREVER, rate=RATE, bytes=4096),
            bench.node("slow", "Consumer", container=container, work_ms=WORK_MS),
        ],
        [{"from": "source", "to": "slow", "policy": policy, "depth": depth, "expected_bytes": 4096}],
    )
    done = play(bench, watch="slow", looks=6)
    edge = done.edges["source.out->slow.in"]
    check_counted(edge, done.results["slow"]["numbers"], edge["sent"])
    check_flat(bench, done, 4096)
    assert edge["lost"] > edge["delivered"], "twenty come for each that is handled"


@PLACES
@LOSSY
@pytest.mark.parametrize("size", [8, 4 * MEGABYTE], ids=["small", "large"])
def test_a_consumer_that_stands_still_does_not_hold_up_another_one(
    bench: Bench, container: bool, policy: str, size: int
) -> None:
    n, depth = 200, 1 if policy == "latest" else 2
    event = bench.event("all passed")
    bench.project.write(
        [
            bench.node("source", "Source", container=container, n=n, bytes=size),
            bench.node("slow", "Consumer", container=container, stands_until=event),
            bench.node("fast", "Fast", container=container, n=n),
        ],
        [
            {"from": "source", "to": "slow", "policy": policy, "depth": depth, "expected_bytes": size},
            {"from": "source", "to": "fast", "depth": depth, "expected_bytes": size},
        ],
    )
    done = play(bench)
    # It is here, so the fast one got its last message while the slow one had its first in hands.
    assert done.results["fast"]["numbers"] == list(range(n))
    fast = done.edges["source.out->fast.in"]
    assert fast["sent"] == fast["acknowledged"] == n and fast["lost"] == 0
    numbers = done.results["slow"]["numbers"]
    slow = done.edges["source.out->slow.in"]
    check_counted(slow, numbers, n)
    # The first that it took may have been one of the last, when it was late.
    assert numbers[1:] == list(range(max(numbers[0] + 1, n - depth), n))
