"""Nodes that join their inputs: sets that are not those of the media times must be noticed."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import pytest
from histories import STEP, write
from history import History
from model import check
from pipelines import Edge, Node, Pipeline
from violation import ViolationError

INPUTS = ("s0.out->j0.a", "t0.out->j0.b")
# Of the leaders, one every 10 ns, with the others, one every 25 ns, where they are at most 8 ns apart.
SETS = [(0, 0), (2, 1), (3, 1), (5, 2)]
JOINED = (4, 3)


@pytest.fixture
def joining(tmp_path: Path) -> Pipeline:
    nodes = {
        "s0": Node("s0", "numbers", {"period": 10}),
        "t0": Node("t0", "numbers", {"period": 25}),
        "j0": Node("j0", "join", {**STEP, "times": 1, "tolerance": 8}),
        "ej": Node("ej", "check", STEP),
    }
    edges = [
        Edge("s0", "out", "j0", "a", "block", 8, 4),
        Edge("t0", "out", "j0", "b", "block", 8, 4),
        Edge("j0", "out", "ej", "a", "block", 8, 4),
    ]
    pipeline = Pipeline(0, tmp_path, nodes, edges, 1024)
    pipeline.shared.mkdir()
    write(pipeline, "s0", ["S", "E 7"])
    write(pipeline, "t0", ["S", "E 3"])
    write_sets(pipeline, SETS)
    return pipeline


def line(leader: int, other: int, again: int = 0) -> str:
    return f"B a s0.out {leader} {again} s0 {leader} with=t0.out|t0|{other}"


def write_sets(pipeline: Pipeline, sets: list[tuple[int, int]]) -> None:
    write(pipeline, "j0", ["S", *(line(*each) for each in sets)])
    write(pipeline, "ej", ["S", *(f"B a j0.out {i} 0 s0/j0.a {each[0]}" for i, each in enumerate(sets))])


def report(sets: int = 4, joined: tuple[int, int] = JOINED, lost: int = 0) -> dict[str, Any]:
    edges = []
    for edge, sent, used in zip(INPUTS, (7, 3), joined):
        account = {"id": edge, "sent": sent, "delivered": sent - lost, "acknowledged": sent, "lost": lost}
        edges.append({**account, "joined": used, "unmatched": sent - lost - used})
    edges.append({"id": "j0.out->ej.a", "sent": sets, "delivered": sets, "acknowledged": sets, "lost": 0})
    return {"edges": edges, "nodes": [{"id": n, "restarts": 0, "quarantined": 0} for n in ("s0", "t0", "j0", "ej")]}


def test_sets_are_those_of_the_media_times(joining: Pipeline) -> None:
    assert check(joining, report(), History()).arrived == 4


WRONG = {
    "one is missing": SETS[:3],
    "the first is missing": SETS[1:],
    "one is too many": [*SETS, (6, 2)],
    "one has not what is nearest": [(0, 0), (2, 1), (3, 2), (5, 2)],
    "one comes twice": [(0, 0), (2, 1), (2, 1), (3, 1), (5, 2)],
    "two are exchanged": [(0, 0), (3, 1), (2, 1), (5, 2)],
}


@pytest.mark.parametrize("sets", WRONG.values(), ids=WRONG.keys())
def test_other_sets_are_noticed(joining: Pipeline, sets: list[tuple[int, int]]) -> None:
    write_sets(joining, sets)
    with pytest.raises(ViolationError):
        check(joining, report(len(sets)), History())


@pytest.mark.parametrize("joined", [(3, 3), (4, 2)])
def test_accounts_are_held_against_the_sets(joining: Pipeline, joined: tuple[int, int]) -> None:
    with pytest.raises(ViolationError, match="were in sets"):
        check(joining, report(joined=joined), History())


def test_a_set_that_is_made_again_is_the_same(joining: Pipeline) -> None:
    told, history = report(), History(restarts=collections.Counter(j0=1))
    told["nodes"][2]["restarts"] = 1
    made = [line(*each) for each in SETS]
    write(joining, "j0", ["S", *made[:3], "S", line(3, 1, 1), *made[3:]])
    check(joining, told, history)
    write(joining, "j0", ["S", *made[:3], "S", line(3, 2, 1), *made[3:]])
    with pytest.raises(ViolationError, match="joined"):
        check(joining, told, history)


def test_where_messages_were_lost_sets_are_in_order_and_within_the_tolerance(joining: Pipeline) -> None:
    together = History(gone_together=collections.Counter(INPUTS))
    write_sets(joining, [(0, 0), (3, 1)])
    check(joining, report(2, lost=1), together)
    with pytest.raises(ViolationError):
        check(joining, report(2), History())
    for sets in ([(0, 0), (4, 1)], [(3, 1), (2, 1)], [(5, 2), (6, 1)]):
        write_sets(joining, sets)
        with pytest.raises(ViolationError):
            check(joining, report(2, lost=1), together)
