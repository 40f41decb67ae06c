"""penstock.current: which message the calling code is about, in handlers, tasks and threads."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import Any, Optional

import penstock
import pytest
from penstock import Json, Text, testing


def here() -> Optional[list[Any]]:
    at = penstock.current()
    return None if at is None else [at.node_id, at.port, at.sequence]


def test_handlers_know_their_message_and_the_rest_of_a_node_knows_that_there_is_none() -> None:
    seen: list[Any] = []

    class Notes(penstock.Node):
        inputs = {"words": Text, "numbers": Json}  # noqa: RUF012

        def setup(self, params: dict[str, Any]) -> None:
            seen.append(here())

        def on_words(self, message: Text) -> None:
            seen.append(here())

        def on_numbers(self, message: Json) -> None:
            seen.append(here())

        @penstock.every("1s")
        def tick(self) -> None:
            seen.append(here())

        def finish(self) -> None:
            seen.append(here())

    inputs = [("words", Text("")), ("numbers", Json(1)), testing.wait("1s"), ("words", Text(""))]
    testing.run(Notes, inputs, node_id="notes")
    none = ["notes", None, None]
    assert seen == [none, ["notes", "words", 0], ["notes", "numbers", 0], none, ["notes", "words", 1], none]
    assert penstock.current() is None


def test_a_node_that_asks_for_the_first_time_in_a_handler_gets_that_message() -> None:
    class Second(penstock.Node):
        def process(self, message: Text) -> Optional[Json]:
            return Json(here()) if message.text == "ask" else None

    out = testing.run(Second, [Text(""), Text("ask"), Text(""), Text("ask")])
    assert [m.value for m in out] == [["node", "in", 1], ["node", "in", 3]]  # type: ignore[attr-defined]


def test_of_joined_messages_it_is_the_leading_one() -> None:
    class Joins(penstock.Node):
        def process(self, left: Text, right: Text) -> Json:
            return Json(here())

    [out] = testing.run(Joins, [("right", Text("", time=1)), ("left", Text("", time=1))], join=0)
    assert out.value == ["node", "left", 0]  # type: ignore[attr-defined]


def test_a_task_keeps_the_message_of_the_handler_that_started_it() -> None:
    seen: list[Any] = []

    class Tasks(penstock.Node):
        async def process(self, message: Text) -> None:
            penstock.current()
            go_on = asyncio.Event()
            if message.text == "first":
                self.go_on = go_on
                self.task = asyncio.ensure_future(self.later())
            else:
                self.go_on.set()
                await self.task
                seen.append(here())

        async def later(self) -> None:
            await self.go_on.wait()
            seen.append(here())
            seen.append(await asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, here))

    testing.run(Tasks, [Text("first"), Text("second")])
    assert seen == [["node", "in", 0], ["node", "in", 0], ["node", "in", 1]]


def test_a_thread_has_none_unless_it_is_given_the_context() -> None:
    seen: list[Any] = []

    class Threads(penstock.Node):
        def process(self, message: Text) -> None:
            penstock.current()
            context = contextvars.copy_context()
            for target in (lambda: seen.append(here()), lambda: context.run(lambda: seen.append(here()))):
                thread = threading.Thread(target=target)
                thread.start()
                thread.join()

    testing.run(Threads, [Text(""), Text("")])
    assert seen == [None, ["node", "in", 0], None, ["node", "in", 1]]


def test_after_a_failure_the_test_is_no_node() -> None:
    class Fails(penstock.Node):
        def process(self, message: Text) -> None:
            error = LookupError(str(here()))
            if sys.version_info >= (3, 11):
                error.add_note("look elsewhere")
            raise error

    with pytest.raises(LookupError, match="'in', 0") as caught:
        testing.run(Fails, [Text("")])
    assert penstock.current() is None
    assert caught.traceback[-1].name == "process"
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == ["look elsewhere"]
