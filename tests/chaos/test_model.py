"""The model must be able to fail: what it is shown here never happened, and has to be noticed."""

from __future__ import annotations

import collections
from pathlib import Path

import pytest
from histories import arrivals, make, report, write
from history import History
from model import check
from pipelines import Edge, Pipeline
from violation import ViolationError


def test_what_was_predicted_is_no_violation(pipeline: Pipeline) -> None:
    account = check(pipeline, report(), History())
    assert (account.began, account.arrived) == (9, 6)


WRONG = {
    "one is missing at the end": arrivals(0, 1, 2, 3, 4),
    "one is missing in the middle": arrivals(0, 1, 2, 4, 5),
    "one comes twice": [*arrivals(), "B a m0.out 6 0 s0/m0.a 5"],
    "two are exchanged": ["S", *(f"B a m0.out {i} 0 s0/m0.a {n}" for i, n in enumerate([0, 2, 1, 3, 4, 5]))],
    "one was never sent": [*arrivals(), "B a m0.out 6 0 s0/m0.a 17"],
    "one comes from elsewhere": [*arrivals(), "B a m0.alt 0 0 s0/m0.a~ 0"],
    "one was changed": [*arrivals(), "X message s0/m0.a 5 was changed on its way"],
    "a number is left out": ["S", *(f"B a m0.out {i} 0 s0/m0.a {n}" for n, i in enumerate([0, 1, 2, 3, 4, 6]))],
    "numbers run backwards": ["S", *(f"B a m0.out {i} 0 s0/m0.a {n}" for n, i in enumerate([0, 2, 1, 3, 4, 5]))],
    "one is marked as a repetition and is none": [*arrivals(0, 1, 2, 3, 4), "B a m0.out 5 1 s0/m0.a 5"],
    "one is repeated by the same worker": [*arrivals(), "B a m0.out 5 1 s0/m0.a 5"],
    "a repetition is not marked": [*arrivals(), "S", "B a m0.out 5 0 s0/m0.a 5"],
    "a repetition is of another message": [*arrivals(), "S", "B a m0.out 5 1 s0/m0.a 4"],
    "one is repeated that was not in hands": [*arrivals(), "S", "B a m0.out 4 1 s0/m0.a 4"],
}


@pytest.mark.parametrize("lines", WRONG.values(), ids=WRONG.keys())
def test_what_the_consumer_saw_is_held_against_what_was_sent(pipeline: Pipeline, lines: list[str]) -> None:
    write(pipeline, "e0", lines)
    with pytest.raises(ViolationError):
        check(pipeline, report(), History())


@pytest.mark.parametrize(
    "account",
    [
        {"sent": 7, "delivered": 7, "acknowledged": 7},
        {"sent": 5, "delivered": 5, "acknowledged": 5},
        {"delivered": 5, "lost": 1},
        {"delivered": 5},
        {"lost": 1},
        {"acknowledged": 5},
    ],
)
def test_accounts_are_held_against_what_the_nodes_counted(pipeline: Pipeline, account: dict[str, int]) -> None:
    with pytest.raises(ViolationError):
        check(pipeline, report(**account), History())


@pytest.mark.parametrize("change", [{"restarts": 1}, {"quarantined": 1}])
def test_restarts_and_quarantine_are_as_many_as_were_caused(pipeline: Pipeline, change: dict[str, int]) -> None:
    told = report()
    told["nodes"][1].update(change)
    with pytest.raises(ViolationError):
        check(pipeline, told, History())


def test_an_edge_that_drops_is_seen_in_part_and_in_order(tmp_path: Path) -> None:
    pipeline = make(tmp_path, "drop_oldest")
    write(pipeline, "e0", arrivals(0, 2, 5))
    check(pipeline, report(delivered=3, lost=3), History())
    for account in ({"delivered": 4, "lost": 2}, {"delivered": 2, "lost": 4}):
        with pytest.raises(ViolationError):
            check(pipeline, report(**account), History())
    for numbers in ((0, 5, 2), (0, 2, 2, 5)):
        write(pipeline, "e0", arrivals(*numbers))
        with pytest.raises(ViolationError):
            check(pipeline, report(delivered=len(numbers), lost=6 - len(numbers)), History())
    write(pipeline, "e0", [*arrivals(0, 2, 5), "S", "B a m0.out 5 1 s0/m0.a 5"])
    with pytest.raises(ViolationError):
        check(pipeline, report(delivered=3, lost=3), History())


def test_neighbours_that_were_gone_together_may_lose_what_is_counted_and_no_more_than_the_depth(
    pipeline: Pipeline,
) -> None:
    together = History(gone_together=collections.Counter({"m0.out->e0.a": 1}))
    write(pipeline, "e0", arrivals(0, 1, 4, 5))
    check(pipeline, report(delivered=4, lost=2), together)
    with pytest.raises(ViolationError):
        check(pipeline, report(delivered=4, lost=2), History())
    with pytest.raises(ViolationError):
        check(pipeline, report(delivered=3, lost=3), together)
    with pytest.raises(ViolationError):
        check(pipeline, report(sent=16, delivered=4, acknowledged=16, lost=12), together)


def test_what_was_in_hands_at_most_once_may_be_missing_and_nothing_else(tmp_path: Path) -> None:
    pipeline = make(tmp_path, "block", once=True)
    told = report()
    told["nodes"][2]["restarts"] = 1
    history = History(restarts=collections.Counter(e0=1))
    write(pipeline, "e0", [*arrivals(0, 1), "S", *arrivals(3, 4, 5)[1:]])
    check(pipeline, told, history)
    write(pipeline, "e0", [*arrivals(0, 1), "S", *arrivals(4, 5)[1:]])
    with pytest.raises(ViolationError):
        check(pipeline, told, history)
    write(pipeline, "e0", arrivals(0, 1, 3, 4, 5))
    with pytest.raises(ViolationError):
        check(pipeline, report(), History())


def test_a_message_in_quarantine_has_sent_what_it_had_sent_before(pipeline: Pipeline) -> None:
    begun = [f"B a s0.out {i} 0 s0 {i}" for i in range(3)]
    write(pipeline, "m0", ["S", *begun[:2], "P a s0.out 1 1", "S", begun[2]])
    told = report(sent=5, delivered=5, acknowledged=5)
    told["nodes"][1].update({"restarts": 1, "quarantined": 1})
    history = History(restarts=collections.Counter(m0=1), poisoned=collections.Counter(m0=1))
    places = [0, 1, 2, 4, 5]
    write(pipeline, "e0", ["S", *(f"B a m0.out {i} 0 s0/m0.a {n}" for i, n in enumerate(places))])
    check(pipeline, told, history)
    write(pipeline, "e0", ["S", *(f"B a m0.out {i} 0 s0/m0.a {n}" for i, n in enumerate([0, 1, 2, 3, 5]))])
    with pytest.raises(ViolationError):
        check(pipeline, told, history)


def test_a_session_that_was_ended_may_lack_its_last_messages_and_none_before(pipeline: Pipeline) -> None:
    write(pipeline, "e0", arrivals(0, 1, 2))
    check(pipeline, None, History(aborted=True))
    write(pipeline, "e0", arrivals(0, 2))
    with pytest.raises(ViolationError):
        check(pipeline, None, History(aborted=True))


def test_an_edge_that_is_to_fail_when_it_is_full_loses_nothing(tmp_path: Path) -> None:
    pipeline = make(tmp_path, "fail")
    check(pipeline, report(), History())
    write(pipeline, "e0", arrivals(0, 1, 2, 3, 5))
    with pytest.raises(ViolationError):
        check(pipeline, report(delivered=5, lost=1), History())


def test_of_several_edges_at_one_input_each_is_followed_by_itself(pipeline: Pipeline) -> None:
    pipeline.edges.append(Edge("s0", "out", "e0", "a", "block", 8, 4))
    told = report()
    told["edges"].append({"id": "s0.out->e0.a", "sent": 3, "delivered": 3, "acknowledged": 3, "lost": 0})
    begun, others = arrivals(), [f"B a s0.out {i} 0 s0 {i}" for i in range(3)]
    write(pipeline, "e0", [*begun[:3], *others[:2], *begun[3:], others[2]])
    check(pipeline, told, History())
    for wrong in ([others[1], others[0], others[2]], others[:2]):
        write(pipeline, "e0", [*begun, *wrong])
        with pytest.raises(ViolationError):
            check(pipeline, told, History())
