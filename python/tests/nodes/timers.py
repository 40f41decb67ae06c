"""Nodes of worker_test.cpp that have timers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import penstock
from penstock import Json


class Beats(penstock.Node):
    """A source of nothing but ticks."""

    count = 0

    @penstock.every("1ms")
    def beat(self) -> Json:
        self.count += 1
        return Json(self.count)

    def finish(self) -> None:
        print("finished")


class Third(penstock.Node):
    """Writes into a pipe when the third message is here."""

    def setup(self, params: dict[str, Any]) -> None:
        self.path = params["path"]

    def process(self, message: Json) -> None:
        if message.value == 3:
            Path(self.path).write_text("three")


class Ticks(penstock.Node):
    """Passes messages on. Its third tick writes into a pipe."""

    count = 0

    def setup(self, params: dict[str, Any]) -> None:
        self.path = params["path"]

    def process(self, message: Json) -> Json:
        return message

    @penstock.every("1ms")
    def tick(self) -> Iterator[Json]:
        self.count += 1
        yield Json(f"tick {self.count}")
        if self.count == 3:
            Path(self.path).write_text("three")


class AsyncTicks(Ticks):
    async def process(self, message: Json) -> Json:  # type: ignore[override]
        return message

    @penstock.every("1ms")
    async def tick(self) -> AsyncIterator[Json]:  # type: ignore[override]
        for message in super().tick():
            yield message


class AfterEach(penstock.Node):
    """Is always late."""

    handled = ticks = 0

    def process(self, message: Json) -> Json:
        self.handled += 1
        return message

    @penstock.every("1us")
    def tick(self) -> None:
        self.ticks += 1

    def finish(self) -> None:
        print("one after each" if self.ticks >= self.handled - 1 else f"{self.ticks} ticks of {self.handled}")


class FailsInTick(penstock.Node):
    def process(self, message: Json) -> None: ...

    @penstock.every("1ms")
    def tick(self) -> None:
        raise ValueError("no time")
