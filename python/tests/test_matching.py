"""The matching of `join` against a model that sees everything at once, with little credit and under any restarts."""

from __future__ import annotations

import random
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock import NodeError
from penstock._matching import Matching

Stream = list[int]  # media times of a port's messages
Sets = list[tuple[int, ...]]  # indices of messages, one of each port

# Few different times, so that many are equal or equally near.
TIMES = st.lists(st.integers(0, 30), max_size=25).map(sorted)
STREAMS = st.lists(TIMES, min_size=2, max_size=4)


def model(streams: list[Stream], tolerance: int) -> Sets:
    """By the definition: for each leader, of each other port, the nearer one of the two around it."""
    sets = []
    for leader, time in enumerate(streams[0]):
        chosen: list[Optional[int]] = [leader]
        for stream in streams[1:]:
            before = [i for i, t in enumerate(stream) if t < time][-1:]
            after = [i for i, t in enumerate(stream) if t >= time][:1]
            near = [i for i in before + after if abs(stream[i] - time) <= tolerance]
            # min takes the first of equally near ones, which is the earlier.
            chosen.append(min(near, key=lambda i: abs(stream[i] - time), default=None))
        if None not in chosen:
            sets.append(tuple(index for index in chosen if index is not None))
    return sets


class Edges:
    """Producers that have at most `depth` messages unacknowledged on each edge, and a consumer that may be killed."""

    def __init__(self, streams: list[Stream], tolerance: int, depth: int) -> None:
        self.streams, self.tolerance, self.depth = streams, tolerance, depth
        self.acknowledged = [0] * len(streams)
        self.unmatched = [0] * len(streams)
        self.start()

    def start(self) -> None:
        """A consumer that knows nothing but what was acknowledged."""
        ports = [f"port{i}" for i in range(len(self.streams))]
        self.matching: Matching[int] = Matching(ports, self.tolerance)
        self.next = list(self.acknowledged)

    def acknowledge(self, port: int, index: int) -> None:
        assert index >= self.acknowledged[port], "what is let go of comes in order"
        self.acknowledged[port] = index + 1

    def step(self) -> Optional[list[int]]:
        """Until there is a set; None when all is over."""
        while True:
            port = self.matching.wants()
            for released, index in self.matching.released():
                self.acknowledge(released, index)
            if port is None:
                return self.matching.joined()
            index = self.next[port]
            if index == len(self.streams[port]):
                self.matching.end(port)
                continue
            assert index < self.acknowledged[port] + self.depth, "a producer without credit is waited for"
            self.next[port] += 1
            self.matching.give(port, index, self.streams[port][index])

    def handled(self, leader: int) -> None:
        self.acknowledge(0, leader)
        self.matching.done()


@given(STREAMS, st.integers(0, 12))
def test_sets_are_those_of_the_model_with_two_messages_of_credit(streams: list[Stream], tolerance: int) -> None:
    edges = Edges(streams, tolerance, depth=2)
    sets = []
    while (chosen := edges.step()) is not None:
        sets.append(tuple(chosen))
        edges.handled(chosen[0])
    assert sets == model(streams, tolerance)
    assert edges.acknowledged == [len(stream) for stream in streams]
    used = [{chosen[port] for chosen in sets} for port in range(len(streams))]
    assert edges.matching.unmatched == [len(stream) - len(of_port) for stream, of_port in zip(streams, used)]


@given(STREAMS, st.integers(0, 12), st.randoms(use_true_random=False))
def test_consumers_killed_anywhere_make_the_same_sets_again(
    streams: list[Stream], tolerance: int, chance: random.Random
) -> None:
    edges = Edges(streams, tolerance, depth=2)
    sets: Sets = []
    while (chosen := edges.step()) is not None:
        again = bool(sets) and sets[-1][0] == chosen[0]
        if again:
            assert sets[-1] == tuple(chosen), "the same set, as its leader was not acknowledged"
        else:
            sets.append(tuple(chosen))
        if chance.random() < 0.3:  # before the leader is acknowledged
            edges.start()
            continue
        edges.handled(chosen[0])
        if chance.random() < 0.3:  # after it
            edges.start()
    assert sets == model(streams, tolerance)


def test_the_leader_waits_until_nothing_nearer_can_come() -> None:
    matching: Matching[str] = Matching(["audio", "speaker"], 20)
    matching.give(0, "a", 100)
    assert matching.wants() == 1
    matching.give(1, "s95", 95)
    assert matching.wants() == 1, "one at 100 would be nearer"
    matching.end(1)
    assert matching.wants() is None
    assert matching.joined() == ["a", "s95"]


def test_an_equal_time_is_joined_at_once() -> None:
    matching: Matching[str] = Matching(["audio", "speaker"], 0)
    matching.give(0, "a", 100)
    assert matching.wants() == 1
    matching.give(1, "s", 100)
    assert matching.wants() is None
    assert matching.joined() == ["a", "s"]


def test_a_leader_that_one_port_cannot_serve_waits_for_no_other() -> None:
    matching: Matching[str] = Matching(["a", "b", "c"], 5)
    matching.give(0, "a", 0)
    matching.wants()
    matching.end(2)
    assert matching.wants() == 0, "not 1"
    assert matching.released() == [(0, "a")]
    assert matching.unmatched == [1, 0, 0]


def test_a_slow_port_serves_several_leaders() -> None:
    edges = Edges([[0, 10, 20, 30, 40], [0, 40]], 20, depth=2)
    sets = []
    while (chosen := edges.step()) is not None:
        sets.append(tuple(chosen))
        edges.handled(chosen[0])
    assert sets == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1)]


def test_messages_without_media_time_are_named() -> None:
    matching: Matching[str] = Matching(["audio", "speaker"], 0)
    with pytest.raises(NodeError, match=r"message 7 of input 'audio' has no media time.*give `time`"):
        matching.give(0, "a", None, 7)


def test_media_times_that_go_back_are_named() -> None:
    matching: Matching[str] = Matching(["audio", "speaker"], 0)
    matching.give(0, "a", 100)
    matching.wants()
    matching.give(1, "s", 90)
    matching.wants()
    with pytest.raises(NodeError, match=r"message 3 of input 'speaker' has the media time 89 ns, but .* had 90 ns"):
        matching.give(1, "t", 89, 3)
