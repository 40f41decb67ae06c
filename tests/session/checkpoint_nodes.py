"""Nodes of test_checkpoint.py: copied beside its manifests as nodes.py."""

from __future__ import annotations

import array
import os
import signal
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import penstock
from penstock import Audio, Json, Text

TELL_EVERY = 200  # messages


def once(path: str) -> bool:
    """True the first time."""
    marker = Path(path)
    if marker.exists():
        return False
    marker.touch()
    return True


class Last(bytearray):
    """A state whose node's worker is killed as soon as it was kept."""

    def __del__(self) -> None:
        if self.path and once(self.path):
            os.kill(os.getpid(), signal.SIGKILL)


class Sum(penstock.Node):
    """For each number its sum with all before, in two texts. Killed at params["at"], where params["how"] says."""

    def setup(self, params: dict) -> None:
        self.how, self.at, self.marker = params.get("how", ""), params.get("at", 7), params.get("marker", "")
        self.seen, self.sum, self.ballast = 0, 0, bytes(params.get("ballast", 0))
        print("pid", os.getpid(), flush=True)

    def restore(self, state: bytes) -> None:
        self.seen, self.sum = array.array("q", state[:16])
        assert state[16:] == self.ballast

    def checkpoint(self) -> bytes:
        if self.at == self.seen - 1 and self.how == "before it is kept" and once(self.marker):
            os.kill(os.getpid(), signal.SIGKILL)
        state = Last(array.array("q", [self.seen, self.sum]).tobytes() + self.ballast)
        state.path = self.marker if self.at == self.seen - 1 and self.how == "after it was kept" else ""
        return state

    def process(self, text: Text) -> Iterator[Text]:
        self.seen += 1
        self.sum += int(text.text)
        yield Text(f"{text.text} {self.seen} {self.sum} a")
        if self.at == self.seen - 1 and self.how == "between its outputs" and once(self.marker):
            os.kill(os.getpid(), signal.SIGKILL)
        yield Text(f"{text.text} {self.seen} {self.sum} b")
        if self.at == self.seen - 1 and self.how == "exception" and once(self.marker):
            raise ValueError("no such word")

    def finish(self) -> Iterator[Text]:
        yield Text(f"end {self.seen} {self.sum} a")
        if self.how == "in finish" and once(self.marker):
            os.kill(os.getpid(), signal.SIGKILL)
        yield Text(f"end {self.seen} {self.sum} b")


class Dict(penstock.Node):
    """Counts words, and keeps them as JSON."""

    def setup(self, params: dict) -> None:
        self.words, self.marker = {}, params["marker"]

    def checkpoint(self) -> dict:
        return {"words": self.words}

    def restore(self, state: dict) -> None:
        self.words = state["words"]

    def process(self, text: Text) -> Json:
        word = text.text[-1]
        if text.text == "15" and once(self.marker):
            os._exit(3)
        self.words[word] = self.words.get(word, 0) + 1
        return Json(self.words)


class Merge(penstock.Node):
    """Of two inputs the sums, each in every message."""

    def setup(self, params: dict) -> None:
        self.sums = {"left": 0, "right": 0}
        print("pid", os.getpid(), flush=True)

    def checkpoint(self) -> dict:
        return self.sums

    def restore(self, state: dict) -> None:
        self.sums = state

    def add(self, side: str, text: Text) -> Text:
        self.sums[side] += int(text.text)
        return Text(f"{side} {text.text} {self.sums['left']} {self.sums['right']}")

    def on_left(self, text: Text) -> Text:
        return self.add("left", text)

    def on_right(self, text: Text) -> Text:
        return self.add("right", text)


class Timed(penstock.Node):
    """params["n"] numbers whose media times are params["period"] apart."""

    def setup(self, params: dict) -> None:
        self.n, self.period = params["n"], params["period"]

    def process(self) -> Iterator[Json]:
        for number in range(self.n):
            yield Json(number, time=number * self.period)


class Joined(Sum):
    """Sums over what belongs together by its time."""

    inputs: ClassVar = {"left": Json, "right": Json}

    def process(self, left: Json, right: Json) -> Iterator[Text]:
        yield from super().process(Text(str(left.value + 1000 * right.value)))


class TooMuch(penstock.Node):
    def setup(self, params: dict) -> None: ...

    def checkpoint(self) -> bytes:
        return bytes((1 << 20) + 1)

    def restore(self, state: bytes) -> None: ...

    def process(self, text: Text) -> Text:
        return text


class Strange(TooMuch):
    def checkpoint(self) -> dict:
        return {"seen": {1, 2}}


class Half(penstock.Node):
    def checkpoint(self) -> bytes:
        return b""

    def process(self, text: Text) -> Text:
        return text


class Refuses(penstock.Node):
    def setup(self, params: dict) -> None:
        self.marker = params["marker"]

    def checkpoint(self) -> int:
        return 1

    def restore(self, state: int) -> None:
        raise ValueError(f"what is {state}?")

    def process(self, text: Text) -> Text:
        if text.text == "3" and once(self.marker):
            os._exit(3)
        return text


class Numbers(penstock.Node):
    """params["n"] of them, or until it is stopped."""

    def setup(self, params: dict) -> None:
        self.n = params.get("n", sys.maxsize)

    def process(self) -> Iterator[Text]:
        for i in range(self.n):
            yield Text(str(i))


class Kept(penstock.Node):
    """Numbers that go on where they were, and every tenth at another output before."""

    outputs: ClassVar = {"out": Text, "tens": Text}

    def setup(self, params: dict) -> None:
        self.next, self.n, self.marker = 0, params.get("n", sys.maxsize), params.get("marker", "")
        print("pid", os.getpid(), flush=True)

    def checkpoint(self) -> int:
        return self.next

    def restore(self, state: int) -> None:
        self.next = state

    def process(self) -> Iterator[Text]:
        while self.next < self.n:
            number = self.next
            self.next += 1
            if number % 10 == 0:
                self.emit("tens", Text(str(number)))
                if number == 50 and self.marker and once(self.marker):
                    os.kill(os.getpid(), signal.SIGKILL)
            yield Text(str(number))


class Replayed(penstock.Node):
    """Numbers from the beginning, each time the same, and every tenth at another output."""

    replayable = True
    outputs: ClassVar = {"out": Text, "tens": Text}

    def setup(self, params: dict) -> None:
        self.n, self.marker = params.get("n", sys.maxsize), params.get("marker", "")
        print("pid", os.getpid(), flush=True)

    def process(self) -> Iterator[Text]:
        for number in range(self.n):
            if number % 10 == 0:
                self.emit("tens", Text(str(number)))
                if number == 50 and self.marker and once(self.marker):
                    os.kill(os.getpid(), signal.SIGKILL)
            yield Text(str(number))

    def finish(self) -> Text:
        return Text("end")


class Shrinks(Replayed):
    """Gives params["then"] the second time."""

    def setup(self, params: dict) -> None:
        super().setup(params)
        if Path(self.marker).exists():
            self.n = params["then"]


class New(penstock.Node):
    """Numbers from 0 in every worker."""

    replayable = False

    def setup(self, params: dict) -> None:
        print("pid", os.getpid(), flush=True)

    def process(self) -> Iterator[Text]:
        for number in range(sys.maxsize):
            yield Text(f"{self.attempt} {number}")


class Emits(penstock.Node):
    def checkpoint(self) -> int:
        return 0

    def restore(self, state: int) -> None: ...

    def process(self) -> None:
        self.emit("out", Text("0"))


class Frames(penstock.Node):
    """Audio as its time and checksum. Says how many it has seen, now and then."""

    def setup(self, params: dict) -> None:
        self.seen = 0

    def process(self, audio: Audio) -> Text:
        self.seen += 1
        if self.seen % TELL_EVERY == 0:
            print("seen", self.seen, flush=True)
        return Text(f"{audio.time} {zlib.crc32(audio.buffer)}")


class Tell(penstock.Node):
    """Passes a text on, and says how many it has seen, now and then."""

    def setup(self, params: dict) -> None:
        self.seen = 0

    def process(self, text: Text) -> Text:
        self.seen += 1
        if self.seen % TELL_EVERY == 0:
            print("seen", self.seen, flush=True)
        return text
