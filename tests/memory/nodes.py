"""Nodes of the tests of memory accounting; they run in containers with nothing but the SDK."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import penstock
from penstock import Bytes, Json, MemoryQuotaError, Text

BLOCK = bytes(range(256)) * 4096


def account() -> dict[str, int]:
    """What the container's control group (v1 or v2) counts as its own, in bytes: all, and shared memory."""
    for folder, usage in (("memory", "memory.usage_in_bytes"), ("", "memory.current")):
        group = Path("/sys/fs/cgroup") / folder
        if (group / usage).exists():
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            return {"usage": int((group / usage).read_text()), "shmem": int(stat["shmem"])}
    raise RuntimeError("this container's memory account cannot be read")


class Frames(penstock.Node):
    """A source of frames of `bytes`, each written from end to end, `count` of them or as many as `seconds` give."""

    outputs = {"out": Bytes, "account": Json}  # noqa: RUF012

    def setup(self, params: dict[str, Any]) -> None:
        self.bytes, self.count, self.seconds = params["bytes"], params.get("count", 0), params.get("seconds", 0)

    def process(self) -> None:
        end = time.monotonic() + self.seconds
        frame = 0
        while frame < self.count or time.monotonic() < end:
            loan = self.loan_bytes(self.bytes, port="out")
            for at in range(0, self.bytes, len(BLOCK)):
                loan.data[at : at + len(BLOCK)] = BLOCK[: self.bytes - at]
            self.emit("out", loan)
            self.emit("account", Json({"node": self.node_id, "frame": frame, **account()}))
            frame += 1


class Look(penstock.Node):
    """Reads every frame, a piece at a time, and says what its container's memory account is."""

    def setup(self, params: dict[str, Any]) -> None:
        self.frame = 0

    def process(self, frame: Bytes) -> Json:
        for at in range(0, len(frame.data), len(BLOCK)):
            piece = bytes(frame.data[at : at + len(BLOCK)])
            assert piece == BLOCK[: len(piece)], at
        self.frame += 1
        return Json({"node": self.node_id, "frame": self.frame - 1, **account()})


class Sizes(penstock.Node):
    """A source of texts of `sizes`; with `careful`, of "refused" in place of those that do not fit."""

    def setup(self, params: dict[str, Any]) -> None:
        self.sizes, self.careful = params["sizes"], params.get("careful", False)

    def process(self) -> Iterator[Text]:
        for size in self.sizes:
            text = Text("x" * size)
            if not self.careful:
                yield text
                continue
            try:
                self.emit("out", text)
            except MemoryQuotaError as error:
                assert error.code == "over quota"
                yield Text("refused")


class Length(penstock.Node):
    def process(self, text: Text) -> Text:
        return Text(text.text if len(text.text) < 100 else str(len(text.text)))


class Greedy(penstock.Node):
    """Asks the runtime behind the SDK's back, with params["request"] in place of what a worker would say."""

    def setup(self, params: dict[str, Any]) -> None:
        self.request = params["request"]

    def process(self) -> Iterator[Text]:
        yield Text("begins well")
        control = socket.socket(fileno=os.dup(3))
        control.send(json.dumps({"v": 1, "type": "grow", "id": 1, **self.request}).encode())
        while not self.stop_requested:
            yield Text("waits for its end")
