"""The roles of Penstock's pipeline; the bench lays this file and stream.py beside the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import penstock
import stream
from penstock import Bytes


class Source(penstock.Node):
    def setup(self, params: dict[str, Any]) -> None:
        self.folder = Path(params["folder"])

    def process(self) -> Iterator[Bytes]:
        for message in stream.messages(self.folder, self.sleep_until):
            yield Bytes(message)


class Worker(penstock.Node):
    def setup(self, params: dict[str, Any]) -> None:
        self.worker = stream.Worker(Path(params["folder"]))

    def process(self, message: Bytes) -> Bytes:
        return Bytes(self.worker.answer(message.data))


class Sink(penstock.Node):
    def setup(self, params: dict[str, Any]) -> None:
        self.sink = stream.Sink(Path(params["folder"]))

    def process(self, message: Bytes) -> None:
        self.sink.note(message.data)
