"""Nodes of test_backpressure.py: copied beside its manifests as nodes.py. They keep a common board of counters."""

from __future__ import annotations

import collections
import json
import mmap
import threading
import time
from collections.abc import Iterator
from typing import Any

import penstock
from penstock import Audio, Bytes

SENT, PASSED = 0, 1  # places on the board: messages whose sending has returned, messages that `Fast` has handled


class Member(penstock.Node):
    """Has the board, and waits for other nodes at named pipes."""

    def setup(self, params: dict[str, Any]) -> None:
        self.params = params
        self.folder = params["folder"]
        with open(f"{self.folder}/board", "r+b") as file:  # noqa: PTH123
            self.board = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")

    def wait_for(self, event: str) -> None:
        with open(f"{self.folder}/{event}") as pipe:  # noqa: PTH123
            pipe.read()

    def announce(self, event: str) -> None:
        with open(f"{self.folder}/{event}", "w"):  # noqa: PTH123
            pass


PIECE = 1 << 16


def piece(number: int) -> bytes:
    """A message says its number all over; handled in pieces, so that the nodes' own memory is none of a message's."""
    return number.to_bytes(8, "little") * (PIECE // 8)


class Source(Member):
    """`n` messages of `bytes`, `rate` a second or as fast as they are taken; says how long that took."""

    def process(self) -> Iterator[Bytes]:
        n, rate, size = self.params["n"], self.params.get("rate"), self.params.get("bytes", 8)
        begin = time.monotonic_ns()
        for number in range(n):
            if rate and not self.sleep_until(begin + number * 1_000_000_000 // rate):
                return
            message, content = self.loan_bytes(size), piece(number)
            for at in range(0, size, PIECE):
                message.data[at : at + PIECE] = content[: size - at]
            yield message
            self.board[SENT] = number + 1
        if "announces" in self.params:
            self.announce(self.params["announces"])


class Consumer(Member):
    """Notes which messages it got, and how far the source was ahead of it at each."""

    def setup(self, params: dict[str, Any]) -> None:
        super().setup(params)
        self.numbers: list[int] = []
        self.most_ahead = 0
        self.kept: collections.deque[tuple[int, Bytes]] = collections.deque()

    def process(self, message: Bytes) -> None:
        number = int.from_bytes(bytes(message.data[:8]), "little")
        self.look_ahead()
        self.check(number, message)
        self.work()
        self.look_ahead()  # by now the source has used what the last acknowledgement gave it
        self.check(number, message)  # nobody has written over it meanwhile
        self.numbers.append(number)
        self.keep(number, message)
        if len(self.numbers) % 10 == 0:
            print("handled", len(self.numbers), flush=True)

    def work(self) -> None:
        if not self.numbers and "stands_until" in self.params:
            self.wait_for(self.params["stands_until"])
        if "work_ms" in self.params:
            threading.Event().wait(self.params["work_ms"] / 1000)

    def keep(self, number: int, message: Bytes) -> None:
        self.kept.append((number, message))
        while len(self.kept) > self.params.get("keeps", 0):
            self.check(*self.kept.popleft())

    def check(self, number: int, message: Bytes) -> None:
        content, data = piece(number), message.data
        for at in range(0, len(data), PIECE):
            found = bytes(data[at : at + PIECE])  # bytes are compared at once, a memoryview's one by one
            assert found == content[: len(data) - at], f"message {number} was changed while it was held"

    def look_ahead(self) -> None:
        # Before `process` ends its message is not acknowledged, so that it counts as one of those ahead.
        self.most_ahead = max(self.most_ahead, self.board[SENT] - len(self.numbers))

    def finish(self) -> None:
        while self.kept:
            self.check(*self.kept.popleft())
        result = {"numbers": self.numbers, "most_ahead": self.most_ahead}
        print("result", json.dumps(result), flush=True)


class Fast(Consumer):
    """A consumer that announces when it has got the last of `n` messages."""

    def process(self, message: Bytes) -> None:
        super().process(message)
        self.board[PASSED] = len(self.numbers)
        if len(self.numbers) == self.params["n"]:
            self.announce("all passed")


class Listener(penstock.Node):
    """Takes 20 ms for each frame of audio."""

    def setup(self, params: dict[str, Any]) -> None:
        self.work_ms, self.handled = params["work_ms"], 0

    def process(self, frame: Audio) -> None:
        threading.Event().wait(self.work_ms / 1000)
        assert frame.sequence == self.handled, "a frame is missing"
        self.handled += 1
        if self.handled % 10 == 0:
            print("handled", self.handled, flush=True)

    def finish(self) -> None:
        print("result", json.dumps({"handled": self.handled}), flush=True)
