"""Where a successor goes on, a step from its state and a source with its messages: what is wrong must be noticed."""

from __future__ import annotations

import collections
import zlib
from typing import Any

import pytest
from histories import report, write
from history import History
from model import check
from pipelines import Pipeline
from violation import ViolationError


def digests(count: int) -> list[str]:
    """What the step keeps before each of its messages."""
    kept, digest = ["0:0"], 0
    for i in range(count):
        digest = zlib.crc32(f"s0 {i}".encode(), digest)
        kept.append(f"{i + 1}:{digest}")
    return kept


def keeping(pipeline: Pipeline, *begun: tuple[int, int, int]) -> list[str]:
    """Lines of a step that keeps a state: number, whether it came before, and how many messages its state has."""
    pipeline.nodes["m0"].state = "kept"
    kept = digests(3)
    return [f"B a s0.out {number} {again} s0 {number} state={kept[state]}" for number, again, state in begun]


def test_a_state_has_all_messages_that_were_handled(pipeline: Pipeline) -> None:
    told, history = report(), History(restarts=collections.Counter(m0=1))
    told["nodes"][1]["restarts"] = 1
    first, again, last = keeping(pipeline, (0, 0, 0), (1, 0, 1), (2, 0, 2)), keeping(pipeline, (1, 1, 1)), (2, 0, 2)
    write(pipeline, "m0", ["S", *first[:2], "S", *again, *keeping(pipeline, last)])  # was killed before it was kept
    check(pipeline, told, history)
    write(pipeline, "m0", ["S", *first[:2], "S", first[2]])  # between that and the acknowledgement
    check(pipeline, told, history)


STATES = {
    "it lacks one": [(0, 0, 0), (1, 0, 1), (2, 0, 1)],
    "it has one too many": [(0, 0, 0), (1, 0, 2), (2, 0, 3)],
    "it begins with something": [(0, 0, 1), (1, 0, 1), (2, 0, 2)],
    "it is lost": [(0, 0, 0), (1, 0, 1), None, (2, 0, 0)],
    "it is behind": [(0, 0, 0), (1, 0, 1), None, (2, 0, 1)],
    "it has what comes again": [(0, 0, 0), (1, 0, 1), None, (1, 1, 2), (2, 0, 2)],
}


@pytest.mark.parametrize("begun", STATES.values(), ids=STATES.keys())
def test_a_state_that_is_behind_or_ahead_is_noticed(pipeline: Pipeline, begun: list[Any]) -> None:
    told, history = report(), History(restarts=collections.Counter(m0=begun.count(None)))
    told["nodes"][1]["restarts"] = begun.count(None)
    lines = [line for each in begun for line in (keeping(pipeline, each) if each else ["S"])]
    write(pipeline, "m0", ["S", *lines])
    with pytest.raises(ViolationError, match=r"state|came again"):
        check(pipeline, told, history)


def restarted_source(pipeline: Pipeline, state: str) -> tuple[dict[str, Any], History]:
    pipeline.nodes["s0"].state = state
    told = report()
    told["nodes"][0]["restarts"] = 1
    return told, History(restarts=collections.Counter(s0=1))


SOURCES = {
    "it goes on": ("kept", ["S", "M 0", "M 1", "S", "M 2", "E 3"]),
    "it sends its last one again": ("kept", ["S", "M 0", "M 1", "S", "M 1", "M 2", "E 3"]),
    "it begins anew": ("replayed", ["S", "M 0", "M 1", "S", "M 0", "M 1", "M 2", "E 3"]),
    "it is stopped while it begins anew": ("replayed", ["S", "M 0", "M 1", "M 2", "S", "M 0", "E 1"]),
    "it is stopped before it has begun": ("kept", ["S", "M 0", "M 1", "M 2", "S"]),
}


@pytest.mark.parametrize(("state", "lines"), SOURCES.values(), ids=SOURCES.keys())
def test_a_source_goes_on_as_its_state_says(pipeline: Pipeline, state: str, lines: list[str]) -> None:
    told, history = restarted_source(pipeline, state)
    write(pipeline, "s0", lines)
    check(pipeline, told, history)


WRONG_SOURCES = {
    "it leaves one out": ("kept", ["S", "M 0", "M 2", "S", "M 3", "E 4"]),
    "its successor leaves one out": ("kept", ["S", "M 0", "S", "M 2", "E 3"]),
    "its state is lost": ("kept", ["S", "M 0", "M 1", "M 2", "S", "M 0", "M 1", "M 2", "E 3"]),
    "it goes on and should begin anew": ("replayed", ["S", "M 0", "M 1", "S", "M 2", "E 3"]),
    "one that it made is missing": ("kept", ["S", "M 0", "M 1", "M 2", "S", "M 3", "E 4"]),
    "one is too many": ("replayed", ["S", "M 0", "S", "M 0", "M 1", "E 2"]),
    "its end is missing": ("", ["S", "M 0", "M 1", "M 2"]),
}


@pytest.mark.parametrize(("state", "lines"), WRONG_SOURCES.values(), ids=WRONG_SOURCES.keys())
def test_a_source_that_does_not_is_noticed(pipeline: Pipeline, state: str, lines: list[str]) -> None:
    told, history = restarted_source(pipeline, state)
    write(pipeline, "s0", lines)
    with pytest.raises(ViolationError):
        check(pipeline, told, history)
