"""Nodes of worker_test.cpp that have coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import penstock
from penstock import Json


class Numbers(penstock.Node):
    """`count` numbers, or numbers until stopped."""

    def setup(self, params: dict[str, Any]) -> None:
        self.count = params.get("count")

    async def process(self) -> AsyncIterator[Json]:
        n = 0
        while n != self.count:
            await asyncio.sleep(0)
            yield Json(n, time=n)
            n += 1


class Waits(penstock.Node):
    """One number, then nothing more for ever, of which a pipe is told."""

    def setup(self, params: dict[str, Any]) -> None:
        self.path = params["path"]

    async def process(self) -> AsyncIterator[Json]:
        yield Json(1)
        try:
            Path(self.path).write_text("waiting")
            await asyncio.Event().wait()
        finally:
            print("cancelled")


class Twice(penstock.Node):
    async def setup(self, params: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        print("set up")

    async def process(self, message: Json) -> AsyncIterator[Json]:
        await asyncio.sleep(0)
        yield message
        await asyncio.sleep(0)
        yield Json(message.value)

    async def finish(self) -> Json:
        return Json("end")

    async def teardown(self) -> None:
        await asyncio.sleep(0)
        print("torn down")


class FailsAt(penstock.Node):
    async def process(self, message: Json) -> None:
        await asyncio.sleep(0)
        if message.value == 3:
            raise ValueError(f"cannot handle {message.value}")


class Listens(penstock.Node):
    """Sends one message, and ends when somebody has written into a pipe."""

    def setup(self, params: dict[str, Any]) -> None:
        self.path = params["path"]

    def process(self) -> Iterator[Json]:
        yield Json(1)
        print(Path(self.path).read_text())


class Answers(penstock.Node):
    """Writes into that pipe, in a task that goes on when the message is handled and no other comes."""

    def setup(self, params: dict[str, Any]) -> None:
        self.path = params["path"]

    async def process(self, message: Json) -> None:
        self.task = asyncio.ensure_future(self.answer(message))

    async def answer(self, message: Json) -> None:
        await asyncio.sleep(0.001)
        try:
            self.emit("out", message)
        except penstock.NodeError as error:
            Path(self.path).write_text(f"not sent: {error}")


class Keeps(penstock.Node):
    """Drops every message, but leaves it to the garbage collector."""

    async def process(self, message: Json) -> None:
        await asyncio.sleep(0)
        cycle: list[Any] = [message]
        cycle.append(cycle)

    async def finish(self) -> None:
        print("finished")
