"""Nodes with coroutines under penstock.testing: what may be one, what runs on the loop, and what is refused."""

from __future__ import annotations

import asyncio
import ctypes
import functools
import threading
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Callable

import penstock
import pytest
from penstock import Json, NodeError, Text, testing
from penstock._async import NodeLoop
from penstock._ports import inspect_node, type_name


def texts(messages: Any) -> list[str]:
    return [message.text for message in messages]


class Upper(penstock.Node):
    async def process(self, message: Text) -> Text:
        await asyncio.sleep(0)
        return Text(message.text.upper())


class Letters(penstock.Node):
    async def process(self, message: Text) -> AsyncIterator[Text]:
        for letter in message.text:
            await asyncio.sleep(0)
            yield Text(letter)


def test_a_coroutine_returns_what_a_function_may_return() -> None:
    assert texts(testing.run(Upper, [Text("a"), Text("b")])) == ["A", "B"]


def test_an_async_generator_sends_as_it_yields_and_may_emit_in_between() -> None:
    class Twice(penstock.Node):
        async def process(self, message: Text) -> AsyncIterator[Text]:
            yield Text("first")
            self.emit("out", Text("second"))
            await asyncio.sleep(0)
            yield Text("third")

    assert texts(testing.run(Letters, [Text("ab"), Text("c")])) == ["a", "b", "c"]
    assert texts(testing.run(Twice, [Text("")])) == ["first", "second", "third"]


def test_annotations_of_coroutines_declare_the_ports() -> None:
    for cls in (Upper, Letters):
        ports = inspect_node(cls)
        assert (type_name(ports.inputs["in"]), type_name(ports.outputs["out"])) == ("Text", "Text")
        assert ports.has_coroutines


def test_every_handler_of_a_node_runs_on_one_loop() -> None:
    loops: list[Any] = []

    class Life(penstock.Node):
        def __init__(self) -> None:
            self.queue: asyncio.Queue[str] = asyncio.Queue()  # bound to the loop before Python 3.10

        async def setup(self, params: dict[str, Any]) -> None:
            loops.append(asyncio.get_running_loop())
            self.queue.put_nowait(params["greeting"])

        async def process(self, message: Text) -> Text:
            loops.append(asyncio.get_running_loop())
            return Text(f"{await self.queue.get()} {message.text}")

        async def finish(self) -> AsyncIterator[Text]:
            loops.append(asyncio.get_running_loop())
            yield Text("bye")

        async def teardown(self) -> None:
            loops.append(asyncio.get_running_loop())

    out = testing.run(Life, [Text("you")], params={"greeting": "hello"})
    assert texts(out) == ["hello you", "bye"]
    assert len(loops) == 4 and len(set(map(id, loops))) == 1


def test_handlers_may_be_of_both_kinds() -> None:
    class Both(penstock.Node):
        inputs = {"words": Text, "numbers": Json}  # noqa: RUF012

        async def on_words(self, message: Text) -> Text:
            return message

        def on_numbers(self, message: Json) -> Text:
            return Text(str(message.value))

    assert texts(testing.run(Both, [("words", Text("a")), ("numbers", Json(1))])) == ["a", "1"]


def test_messages_are_handled_one_after_the_other() -> None:
    order: list[str] = []

    class Slow(penstock.Node):
        async def process(self, message: Text) -> None:
            order.append(f"{message.text} begins")
            for _ in range(3):
                await asyncio.sleep(0)
            order.append(f"{message.text} ends")

    testing.run(Slow, [Text("a"), Text("b")])
    assert order == ["a begins", "a ends", "b begins", "b ends"]


def test_a_source_may_be_an_async_generator_and_is_closed_when_it_is_stopped() -> None:
    ends: list[str] = []

    class Numbers(penstock.Node):
        async def process(self) -> AsyncIterator[Json]:
            try:
                for n in range(1000):
                    await asyncio.sleep(0)
                    yield Json(n)
            finally:
                ends.append("closed")

    assert [m.value for m in testing.run(Numbers, limit=2)] == [0, 1]  # type: ignore[attr-defined]
    assert ends == ["closed"]


def test_what_a_node_leaves_running_is_cancelled_in_the_end() -> None:
    ends: list[str] = []

    class Leaves(penstock.Node):
        async def setup(self, params: dict[str, Any]) -> None:
            self.task = asyncio.ensure_future(self.watch())

        async def watch(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ends.append("cancelled")

        async def process(self, message: Text) -> None: ...

        async def teardown(self) -> None:
            ends.append("torn down")

    testing.run(Leaves, [Text("")])
    assert ends == ["torn down", "cancelled"]


def test_only_the_handler_and_what_it_starts_may_emit() -> None:
    said: list[str] = []

    class Late(penstock.Node):
        async def process(self, message: Text) -> None:
            if message.text == "first":
                self.task = asyncio.ensure_future(self.send("late"))
            else:
                await asyncio.gather(self.send("in time"))
                await self.task

        async def send(self, text: str) -> None:
            try:
                self.emit("out", Text(text))
            except NodeError as error:
                said.append(str(error))

    assert texts(testing.run(Late, [Text("first"), Text("second")], node_id="asr")) == ["in time"]
    assert len(said) == 1 and "node 'asr': Late.emit was called by a task that is not part of the handler" in said[0]


def test_a_failure_of_a_coroutine_arrives_unchanged() -> None:
    class Fails(penstock.Node):
        async def process(self, message: Text) -> None:
            await asyncio.sleep(0)
            raise LookupError("no such word")

    with pytest.raises(LookupError, match="no such word"):
        testing.run(Fails, [Text("")])


def test_joined_inputs_may_be_handled_by_a_coroutine() -> None:
    class Who(penstock.Node):
        async def process(self, words: Text, speaker: Text) -> Text:
            await asyncio.sleep(0)
            return Text(f"{speaker.text}: {words.text}")

    said = [("words", Text("yes", time=40)), ("speaker", Text("Ada", time=50))]
    assert texts(testing.run(Who, said, join=20)) == ["Ada: yes"]


def test_a_state_is_kept_after_each_message_of_a_coroutine() -> None:
    class Sum(penstock.Node):
        total = 0

        def checkpoint(self) -> int:
            return self.total

        def restore(self, state: int) -> None:
            self.total = state

        async def process(self, message: Json) -> Json:
            await asyncio.sleep(0)
            self.total += message.value
            return Json(self.total)

    assert testing.run(Sum, [Json(1), Json(2)]).state == 3


class Interrupted(BaseException):
    pass


def test_a_thread_that_awaits_something_for_ever_can_be_interrupted() -> None:
    """As the sessions of a process are that come to their end."""
    awaits, loops, ends = threading.Event(), [], []

    async def wait() -> None:
        awaits.set()
        await asyncio.Event().wait()

    def session() -> None:
        loops.append(NodeLoop())
        try:
            loops[0].run(wait())
        except Interrupted:
            ends.append("interrupted")
        loops[0].let_go()

    thread = threading.Thread(target=session)
    thread.start()
    awaits.wait()
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Interrupted))
    loops[0].wake()
    thread.join()
    assert ends == ["interrupted"]
    loops[0].wake()  # it is over, which is no error


def hides(method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, message: Any) -> Any:
        return method(self, message)

    return call


def test_a_coroutine_that_a_decorator_hides_is_named() -> None:
    class Hidden(penstock.Node):
        @hides
        async def process(self, message: Text) -> None: ...

    with pytest.raises(TypeError, match=r"Hidden.process returned coroutine.*make it `async def`"):
        testing.run(Hidden, [Text("")])


def test_a_test_that_is_a_coroutine_itself_is_told_what_to_do() -> None:
    async def test() -> None:
        testing.run(Upper, [Text("a")])

    with pytest.raises(RuntimeError, match=r"Upper has coroutines.*call penstock.testing.run in a plain"):
        asyncio.run(test())


def test_setup_as_an_async_generator_is_refused() -> None:
    class Yields(penstock.Node):
        async def setup(self, params: dict[str, Any]) -> AsyncIterator[None]:  # type: ignore[override]
            yield None

        def process(self, message: Text) -> None: ...

    with pytest.raises(NodeError, match=r"Yields.setup is an async generator, but sends nothing"):
        inspect_node(Yields)
