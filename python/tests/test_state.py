"""What a class says about restarts, and states under penstock.testing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Optional

import penstock
import pytest
from penstock import NodeError, Text, testing
from penstock._ports import inspect_node
from penstock._state import check_source, defines_checkpoint, from_kept, to_kept


class Sum(penstock.Node):
    def setup(self, params: dict[str, Any]) -> None:
        self.sum = params.get("from", 0)
        self.finished = False

    def checkpoint(self) -> dict[str, int]:
        return {"sum": self.sum}

    def restore(self, state: dict[str, int]) -> None:
        self.sum = state["sum"]

    def process(self, message: Text) -> Text:
        self.sum += int(message.text)
        return Text(str(self.sum))

    def finish(self) -> Text:
        return Text("end")


class Count(penstock.Node):
    def setup(self, params: dict[str, Any]) -> None:
        self.next = 0

    def checkpoint(self) -> bytes:
        return str(self.next).encode()

    def restore(self, state: bytes) -> None:
        self.next = int(state)

    def process(self) -> Iterator[Text]:
        while self.next < 5:
            self.next += 1
            yield Text(str(self.next))


def texts(outputs: testing.Outputs) -> list[str]:
    return [message.text for message in outputs]  # type: ignore[attr-defined]


def test_a_node_goes_on_from_the_state_of_an_earlier_run() -> None:
    first = testing.run(Sum, [Text("1"), Text("2")], killed=True)
    assert texts(first) == ["1", "3"], "no finish"
    assert first.state == {"sum": 3}
    second = testing.run(Sum, [Text("4")], params={"from": 100}, state=first.state)
    assert texts(second) == ["7", "end"], "restore comes after setup"
    assert second.state == {"sum": 7}


def test_a_source_goes_on_from_where_it_last_yielded() -> None:
    first = testing.run(Count, limit=3)
    assert (texts(first), first.state) == (["1", "2", "3"], b"3")
    assert texts(testing.run(Count, state=first.state)) == ["4", "5"]


def test_a_node_without_a_state_takes_none() -> None:
    class Plain(penstock.Node):
        def process(self, message: Text) -> Text:
            return message

    assert testing.run(Plain, [Text("a")]).state is None
    with pytest.raises(ValueError, match="Plain has no state to restore"):
        testing.run(Plain, [Text("a")], state={})


@pytest.mark.parametrize("value", [b"", b"abc", {"a": [1, 2.5, None, "é"]}, [], "text", 0, -1.5, True, ""])
def test_states_come_back_as_they_were(value: Any) -> None:
    format, data = to_kept(value, "checkpoint")
    back = from_kept(format, bytes(data))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", [bytearray(b"abc"), memoryview(b"abc")])
def test_what_is_bytes_like_comes_back_as_bytes(value: Any) -> None:
    assert from_kept(*to_kept(value, "checkpoint")) == b"abc"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "gave None"),
        ({1: 2}, "JSON gives back as another"),
        ({"a": (1, 2)}, "JSON gives back as another"),
        (float("nan"), "cannot be written as JSON"),
        ({"a": object()}, "cannot be written as JSON"),
    ],
)
def test_states_that_would_not_come_back_are_refused(value: Any, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        to_kept(value, "Sum.checkpoint")


def test_a_state_larger_than_a_pipeline_keeps_is_refused_in_tests_too() -> None:
    class Large(Sum):
        def checkpoint(self) -> Any:
            return bytes((1 << 20) + 1)

    with pytest.raises(ValueError, match="a state of 1048577 bytes is kept of no node: 1048576 are allowed"):
        testing.run(Large, [Text("1")])


def declared(cls: type[penstock.Node]) -> Optional[bool]:
    ports = inspect_node(cls)
    return check_source(cls, "numbers", defines_checkpoint(cls, ports))


def test_a_source_says_one_of_three() -> None:
    class Mute(penstock.Node):
        def process(self) -> Iterator[Text]:
            yield Text("")

    class Replayed(Mute):
        replayable = True

    class New(Mute):
        replayable = False

    assert declared(Count) is None
    assert declared(Replayed) is True
    assert declared(New) is False
    with pytest.raises(NodeError) as told:
        declared(Mute)
    for word in ("node 'numbers' (Mute)", "checkpoint", "`replayable = True`", "`replayable = False`"):
        assert word in str(told.value)


def test_contradictions_are_refused() -> None:
    class Both(Count):
        replayable = True

    class Odd(penstock.Node):
        replayable = "yes"  # type: ignore[assignment]

        def process(self) -> Iterator[Text]:
            yield Text("")

    class Half(penstock.Node):
        def restore(self, state: bytes) -> None: ...

        def process(self, message: Text) -> None: ...

    class Async(Sum):
        async def checkpoint(self) -> Any: ...

    class NoGenerator(Count):
        def process(self) -> Any:
            self.emit("out", Text(""))

    for cls, sentence in {
        Both: "goes on from its state: remove its attribute `replayable`",
        Odd: "Odd.replayable is 'yes': write True or False",
        Half: "Half defines restore but not checkpoint(self)",
        Async: "Async.checkpoint is called by Penstock",
        NoGenerator: "make process a generator",
    }.items():
        with pytest.raises(NodeError, match=re.escape(sentence)):
            declared(cls)
