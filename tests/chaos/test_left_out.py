"""Nodes that the session goes on without: what is wrong about them, and about those around them, must be noticed."""

from __future__ import annotations

import collections
from typing import Any

import pytest
from histories import arrivals, report, write
from history import History
from model import check
from pipelines import Pipeline
from violation import ViolationError


def of_consumer(pipeline: Pipeline, **account: int) -> dict[str, Any]:
    """e0 was left out when it had begun with three of the six messages that it was sent."""
    pipeline.left_out.add("e0")
    write(pipeline, "e0", arrivals(0, 1, 2))
    told = report(**{"sent": 6, "delivered": 3, "acknowledged": 2, "in_flight": 3, **account})
    told["nodes"][2]["left_out"] = "it failed"
    return told


def test_a_consumer_that_is_left_out_sees_the_beginning_and_the_rest_is_in_flight(pipeline: Pipeline) -> None:
    check(pipeline, of_consumer(pipeline), History())
    check(pipeline, of_consumer(pipeline, delivered=4, in_flight=2), History())  # one was not written down any more


WRONG = [
    {"delivered": 2, "in_flight": 4},
    {"delivered": 5, "in_flight": 1},
    {"in_flight": 2},
    {"lost": 3, "in_flight": 0},
    {"sent": 5, "in_flight": 2},
]


@pytest.mark.parametrize("account", WRONG)
def test_an_account_that_says_otherwise_is_noticed(pipeline: Pipeline, account: dict[str, int]) -> None:
    with pytest.raises(ViolationError):
        check(pipeline, of_consumer(pipeline, **account), History())


def test_a_gap_before_it_was_left_out_is_noticed(pipeline: Pipeline) -> None:
    told = of_consumer(pipeline)
    write(pipeline, "e0", arrivals(0, 1, 3))
    with pytest.raises(ViolationError, match="never saw 1 messages"):
        check(pipeline, told, History())


def test_who_is_left_out_is_whoever_was_to_be(pipeline: Pipeline) -> None:
    with pytest.raises(ViolationError, match="was left out"):
        told = report()
        told["nodes"][1]["left_out"] = "it failed"
        check(pipeline, told, History())
    pipeline.left_out.add("m0")
    with pytest.raises(ViolationError, match="was left out"):
        check(pipeline, report(), History())


def of_producer(pipeline: Pipeline, sent: int) -> dict[str, Any]:
    """m0 was left out in the last of the three messages that it was sent; at most its two outputs are missing."""
    pipeline.left_out.add("m0")
    told = report(sent=sent, delivered=sent, acknowledged=sent)
    told["nodes"][1]["left_out"] = "it failed"
    return told


@pytest.mark.parametrize("sent", [4, 5, 6])
def test_consumers_see_all_that_a_node_had_sent_before_it_was_left_out(pipeline: Pipeline, sent: int) -> None:
    told = of_producer(pipeline, sent)
    write(pipeline, "e0", arrivals(*range(sent)))
    check(pipeline, told, History())
    write(pipeline, "e0", arrivals(*range(sent - 1)))
    with pytest.raises(ViolationError):
        check(pipeline, told, History())
    write(pipeline, "e0", arrivals(*range(sent - 2), sent - 1))
    with pytest.raises(ViolationError):
        check(pipeline, told, History())


def test_of_what_it_had_handled_nothing_may_be_missing(pipeline: Pipeline) -> None:
    told = of_producer(pipeline, 3)
    write(pipeline, "e0", arrivals(0, 1, 2))
    with pytest.raises(ViolationError, match="3 were sent, instead of 4 to 6"):
        check(pipeline, told, History())


def test_a_consumer_that_ends_after_it_loses_what_is_counted(pipeline: Pipeline) -> None:
    told = of_producer(pipeline, 6)
    told["edges"][1].update({"delivered": 5, "lost": 1})
    told["nodes"][2]["restarts"] = 1
    write(pipeline, "e0", [*arrivals(0, 1, 2, 3), "S", *arrivals(5)[1:]])
    both = collections.Counter({"m0.out->e0.a": 1})
    check(pipeline, told, History(restarts=collections.Counter(e0=1), gone_together=both))
    with pytest.raises(ViolationError):
        check(pipeline, told, History(restarts=collections.Counter(e0=1)))
