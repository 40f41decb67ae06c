"""Nodes of worker_test.cpp that ask what they are about."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import penstock
from penstock import Json, Message


def tell(where: str, message: Message | None = None) -> None:
    at = penstock.current()
    assert at is not None
    assert at.trace_id == (None if message is None else message.trace_id)
    print(where, at.node_id, len(at.session_id), at.port, at.sequence, flush=True)


class Tells(penstock.Node):
    def setup(self, params: dict[str, Any]) -> None:
        tell("setup")

    def process(self, message: Json) -> None:
        tell("process", message)
        thread = threading.Thread(target=lambda: print(penstock.current()))
        thread.start()
        thread.join()

    def finish(self) -> None:
        tell("finish")


class AsyncTells(Tells):
    async def process(self, message: Json) -> None:  # type: ignore[override]
        await asyncio.gather(self.tell(message))

    async def tell(self, message: Json) -> None:
        tell("process", message)
