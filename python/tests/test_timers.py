"""Timers under penstock.testing: when they tick, in which order, what they send, and which classes make no sense."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, Optional

import penstock
import pytest
from penstock import Json, NodeError, Text, testing
from penstock._ports import inspect_node, type_name
from penstock.testing import wait


def texts(messages: Any) -> list[str]:
    return [message.text for message in messages]


class Ticks(penstock.Node):
    """Says what comes, and when it ticks."""

    clock: ClassVar[Optional[testing.Clock]] = None

    def process(self, message: Text) -> Text:
        if self.clock is not None and message.text[0].isdigit():
            self.clock.advance(message.text)
        return message

    @penstock.every("1s")
    def tick(self) -> Text:
        return Text(f"tick at {self.clock.now_ns / 1e9}" if self.clock else "tick")

    def finish(self) -> Text:
        return Text("end")


def test_ticks_come_at_multiples_of_the_period_after_the_start() -> None:
    out = testing.run(Ticks, [wait("999ms"), Text("a"), wait("1ms"), Text("b"), wait("2s")])
    assert texts(out) == ["a", "tick", "b", "tick", "tick", "end"]


def test_without_time_nothing_ticks() -> None:
    assert texts(testing.run(Ticks, [Text("a"), Text("b")])) == ["a", "b", "end"]


def test_of_ticks_that_were_missed_one_runs_and_the_next_is_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = testing.Clock()
    monkeypatch.setattr(Ticks, "clock", clock)
    out = testing.run(Ticks, [Text("3.5s"), Text("400ms"), Text("200ms")], clock=clock)
    assert texts(out) == ["3.5s", "tick at 3.5", "400ms", "200ms", "tick at 4.1", "end"]


def test_several_that_are_due_run_in_the_order_of_their_times_before_the_next_message() -> None:
    class Two(penstock.Node):
        def process(self, message: Text) -> Text:
            return message

        @penstock.every(1)
        def first(self) -> Text:
            return Text("first")

        @penstock.every(0.5)
        def second(self) -> Iterator[Text]:
            yield Text("second")
            self.emit("out", Text("third"))

    # At equal times in the order of definition; else in that of their times.
    out = testing.run(Two, [wait("0.5s"), wait("0.5s"), Text("a")])
    assert texts(out) == ["second", "third", "first", "second", "third", "a"]


def test_timers_of_base_classes_come_first_and_may_be_replaced() -> None:
    class Base(penstock.Node):
        def process(self, message: Text) -> None: ...

        @penstock.every("1s")
        def a(self) -> Text:
            return Text("base a")

        @penstock.every("1s")
        def b(self) -> Text:
            return Text("base b")

    class Derived(Base):
        @penstock.every("1s")
        def c(self) -> Text:
            return Text("c")

        @penstock.every("2s")
        def a(self) -> Text:
            return Text("a")

        def b(self) -> Text:
            return Text("is no timer")

    assert texts(testing.run(Derived, [wait("1s")])) == ["c"]
    assert texts(testing.run(Derived, [wait("2s")])) == ["c", "a", "c"]


def test_what_a_tick_sends_has_the_time_that_it_is_given_and_no_other() -> None:
    class Timed(penstock.Node):
        def process(self, message: Text) -> Text:
            return Text("handled")

        @penstock.every("1s")
        def tick(self) -> list[Text]:
            return [Text("a"), Text("b", time=7)]

    handled, a, b = testing.run(Timed, [Text("", time=5), wait("1s")])
    assert (handled.time, a.has_time, b.time) == (5, False, 7)


def test_a_node_may_have_timers_instead_of_inputs() -> None:
    class Clock(penstock.Node):
        def setup(self, params: dict[str, Any]) -> None:
            self.count = 0

        @penstock.every("250ms")
        def tick(self) -> Json:
            self.count += 1
            return Json(self.count)

    assert inspect_node(Clock).is_source
    assert [m.value for m in testing.run(Clock, [wait("1s")])] == [1, 2, 3, 4]  # type: ignore[attr-defined]
    assert [m.value for m in testing.run(Clock, limit=3)] == [1, 2, 3]  # type: ignore[attr-defined]


def test_a_tick_may_be_a_coroutine_and_the_loop_has_the_clocks_time() -> None:
    clock = testing.Clock()

    class Slow(penstock.Node):
        async def process(self, message: Text) -> Text:
            await asyncio.sleep(1.25)
            return Text(f"{message.text} at {clock.now_ns / 1e9:.2f}")

        @penstock.every("1s")
        async def tick(self) -> AsyncIterator[Text]:
            await asyncio.sleep(0)
            yield Text(f"tick at {clock.now_ns / 1e9:.2f}")

    out = testing.run(Slow, [Text("a"), wait("1s"), Text("b")], clock=clock)
    assert texts(out) == ["a at 1.25", "tick at 1.25", "tick at 2.00", "b at 3.50", "tick at 3.50"]


def test_tasks_of_the_node_go_on_while_no_message_comes() -> None:
    clock = testing.Clock()

    class Polls(penstock.Node):
        async def setup(self, params: dict[str, Any]) -> None:
            self.polled: list[float] = []
            self.task = asyncio.ensure_future(self.poll())

        async def poll(self) -> None:
            while True:
                await asyncio.sleep(0.5)
                self.polled.append(round(clock.now_ns / 1e9, 3))

        async def process(self, message: Text) -> Json:
            return Json(self.polled)

    [out] = testing.run(Polls, [wait("1.75s"), Text("?")], clock=clock)
    assert out.value == [0.5, 1.0, 1.5]  # type: ignore[attr-defined]


def test_a_state_is_kept_after_a_tick() -> None:
    class Counts(penstock.Node):
        count = 0

        def checkpoint(self) -> int:
            return self.count

        def restore(self, state: int) -> None:
            self.count = state

        def process(self, message: Text) -> None: ...

        @penstock.every("1s")
        def tick(self) -> None:
            self.count += 1

    assert testing.run(Counts, [wait("3s")], killed=True).state == 3


def test_annotations_of_timers_count_among_the_outputs() -> None:
    class Both(penstock.Node):
        def process(self, message: Text) -> Text:
            return message

        @penstock.every("1s")
        def tick(self) -> Json:
            return Json(None)

    assert {port: type_name(types) for port, types in inspect_node(Both).outputs.items()} == {"out": "Json|Text"}


class Source(penstock.Node):
    def process(self) -> None: ...

    @penstock.every("1s")
    def tick(self) -> None: ...


class Handler(penstock.Node):
    @penstock.every("1s")
    def process(self, message: Text) -> None: ...


class Argument(penstock.Node):
    def process(self, message: Text) -> None: ...

    @penstock.every("1s")
    def tick(self, message: Text) -> None: ...


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (Source, r"Source is a source: .* so tick would never be called"),
        (Handler, r"Handler.process is called by itself"),
        (Argument, r"Argument.tick is called by penstock.every with nothing but self"),
    ],
)
def test_classes_that_make_no_sense_are_refused(cls: Any, said: str) -> None:
    with pytest.raises(NodeError, match=said):
        inspect_node(cls)


def test_a_node_that_joins_has_no_timers() -> None:
    class Joins(penstock.Node):
        def process(self, left: Text, right: Text) -> None: ...

        @penstock.every("1s")
        def tick(self) -> None: ...

    with pytest.raises(NodeError, match=r"Joins has the timer tick, and its node has `join`"):
        inspect_node(Joins, joins=True)


@pytest.mark.parametrize("period", ["soon", "1 week", "-1s", "0s", 0, "8d", "200h", 1e9])
def test_periods_that_are_none_are_refused(period: Any) -> None:
    with pytest.raises(ValueError, match=r"the period of penstock.every is"):
        penstock.every(period)


def test_every_is_the_innermost_decorator() -> None:
    with pytest.raises(TypeError, match="innermost"):
        penstock.every("1s")(property(lambda self: None))  # type: ignore[type-var]
