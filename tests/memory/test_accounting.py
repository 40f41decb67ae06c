"""What containers pay for, and what happens when shared memory runs short (SC-003)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import SMALL_CONTAINER, Project, node

MEGABYTE = 1_000_000
FRAME = 40 * MEGABYTE
# Queues, hands and history of this edge make eight chunks: 320 MB of shared memory for nodes of 128 MB.
FEW = {"depth": 2, "max_held": 1}
SINK = {"id": "sink", "node_type": "text.sink"}


def stream(project: Project, params: dict[str, Any], **connection: Any) -> list[dict[str, Any]]:
    """Frames from container to container; the accounts that both sent meanwhile."""
    project.write(
        [
            node("frames", "Frames", container=True, params={"bytes": FRAME, **params}),
            node("look", "Look", container=True),
            {"id": "accounts", "node_type": "json.sink"},
        ],
        [
            {"from": "frames", "from_output": "out", "to": "look", **FEW, **connection},
            {"from": "frames", "from_output": "account", "to": "accounts"},
            {"from": "look", "to": "accounts"},
        ],
    )
    result = project.run()
    assert result.returncode == 0, result.stderr
    return [entry.get("value", entry) for entry in map(json.loads, result.stdout.splitlines())]


def check_flat(accounts: list[dict[str, Any]], at_least: int) -> None:
    for name in ("frames", "look"):
        own = [entry for entry in accounts if entry["node"] == name]
        assert len(own) >= at_least
        # Of shared memory, both are charged for what the library keeps its books in, and for no frame.
        assert max(entry["shmem"] for entry in own) < 4 * MEGABYTE, own[-1]
        settled = own[len(own) // 4 :]
        usages = [entry["usage"] for entry in settled]
        assert max(usages) - min(usages) < 8 * MEGABYTE, (min(usages), max(usages))
        assert max(usages) < 64 * MEGABYTE


@pytest.mark.engine
@pytest.mark.parametrize("expected", [FRAME, None, 4096], ids=["declared", "learned", "declared too small"])
def test_a_small_container_streams_large_frames_with_flat_memory(project: Project, expected: int | None) -> None:
    declared = {} if expected is None else {"expected_bytes": expected}
    check_flat(stream(project, {"count": 40}, **declared), 40)


@pytest.mark.engine
@pytest.mark.soak
def test_a_small_container_streams_large_frames_for_a_minute(project: Project) -> None:
    check_flat(stream(project, {"seconds": 60}, expected_bytes=FRAME), 100)


def sizes(project: Project, *, container: bool, quota_mb: int, **params: Any) -> None:
    project.write(
        [node("sizes", "Sizes", container=container, params=params), node("length", "Length"), SINK],
        [{"from": "sizes", "to": "length"}, {"from": "length", "to": "sink"}],
        {"shm_quota_mb": quota_mb},
    )


PLACES = pytest.mark.parametrize("container", [False, pytest.param(True, marks=pytest.mark.engine)])


@PLACES
def test_messages_of_every_size_are_granted(project: Project, container: bool) -> None:
    steps = [1, 70_000, 5_000, 3 * MEGABYTE, 100, 20 * MEGABYTE, 20 * MEGABYTE + 1, 0]
    sizes(project, container=container, quota_mb=1024, sizes=steps)
    result = project.run()
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["x" * size if size < 100 else str(size) for size in steps]


@PLACES
def test_a_message_beyond_the_quota_is_refused_with_a_sentence(project: Project, container: bool) -> None:
    sizes(project, container=container, quota_mb=32, sizes=[10, 40 * MEGABYTE])
    result = project.run()
    assert result.returncode == 1
    assert "node 'sizes' failed" in result.stderr
    assert (
        "MemoryQuotaError: a message of 40000000 bytes does not fit into the shared memory that is left"
        in result.stderr
    )
    assert "raise the session's shm_quota_mb" in result.stderr
    assert "sending from output sizes.out" in result.stderr
    assert "SIGBUS" not in result.stderr and "signal" not in result.stderr


@PLACES
def test_a_node_may_go_on_after_a_refusal(project: Project, container: bool) -> None:
    steps = [10, 40 * MEGABYTE, 5, 40 * MEGABYTE, 5 * MEGABYTE]
    sizes(project, container=container, quota_mb=32, sizes=steps, careful=True)
    result = project.run()
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["x" * 10, "refused", "xxxxx", "refused", "5000000"]


REQUESTS = {
    "too much": {"output": 0, "chunk": 0, "bytes": 1 << 60},
    "a chunk that is not there": {"output": 0, "chunk": 4_000_000_000, "bytes": 10_000_000},
    "an output that is not there": {"output": 7, "chunk": 0, "bytes": 10_000_000},
}


@PLACES
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
def test_a_worker_that_asks_for_what_it_cannot_have_is_ended(
    project: Project, container: bool, request_: dict[str, int]
) -> None:
    project.write(
        [node("greedy", "Greedy", container=container, params={"request": request_}), SINK],
        [{"from": "greedy", "to": "sink"}],
    )
    result = project.run()
    assert result.returncode == 1
    assert "node 'greedy' broke the worker protocol: " in result.stderr
    assert "asked for" in result.stderr


@PLACES
def test_a_segment_of_another_device_is_refused(project: Project, container: bool) -> None:
    docker = {**SMALL_CONTAINER, "env": {"FOREIGN_SEGMENT": "1"}}
    project.write(
        [node("hostile", "Sizes", params={"sizes": [1]}, docker=docker), SINK], [{"from": "hostile", "to": "sink"}]
    )
    result = project.run("--placement", "declared" if container else "process")
    assert result.returncode == 1
    assert "node 'hostile' broke the worker protocol: " in result.stderr
    assert "a file outside of the output's realm" in result.stderr
