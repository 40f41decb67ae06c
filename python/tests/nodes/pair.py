"""Nodes of worker_test.cpp. They need no numpy, so that every interpreter can run them."""

from __future__ import annotations

import array
import ctypes
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import penstock
from penstock import Audio, Bytes, Json, Message, Tensor, Text


def address_of(view: memoryview) -> int:
    """Of the first byte, also of read-only memory."""
    pointer = ctypes.c_void_p()
    length = ctypes.c_ssize_t()
    read = ctypes.pythonapi.PyObject_AsReadBuffer
    read.argtypes = [ctypes.py_object, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_ssize_t)]
    read(view, ctypes.byref(pointer), ctypes.byref(length))
    return pointer.value or 0


def place_of(view: memoryview) -> tuple[str, str, int]:
    """Device, inode and offset in the file that backs the view's memory."""
    address = address_of(view)
    with Path("/proc/self/maps").open() as maps:
        for line in maps:
            span, _, offset, device, inode = line.split()[:5]
            low, high = (int(part, 16) for part in span.split("-"))
            if low <= address < high:
                return device, inode, int(offset, 16) + address - low
    raise AssertionError(f"{address:#x} is not mapped")


class EveryKind(penstock.Node):
    """One message of each type, copied and loaned, with times and metadata."""

    def process(self) -> Iterator[Message]:
        yield Audio(array.array("f", [0.5, -0.5]), 16000, time=20_000_000, metadata={"n": 0})
        yield Text("grüße", time=1)
        yield Json({"a": [1, None]}, metadata={"key": "ü"})
        yield Bytes(b"")
        yield Tensor(memoryview(array.array("h", range(6))).cast("B").cast("h", [2, 3]))
        loaned = self.loan_audio(2, 2, 48000, time=5, metadata={"loaned": True})
        loaned.buffer.cast("B")[:] = array.array("f", [1, 2, 3, 4]).tobytes()
        yield loaned
        big = self.loan_bytes(8_000_000)
        big.data[-1] = 7
        yield big
        small = self.loan_tensor((), "float64")
        small.buffer[()] = 2.5
        yield small


class PassOn(penstock.Node):
    def process(self, message: Message) -> Message:
        return message


class Thrice(penstock.Node):
    """A generator that also emits."""

    def process(self, message: Json) -> Iterator[Json]:
        yield message
        self.emit("out", Json(message.value))
        yield message


class Describe(penstock.Node):
    """Prints what it received, one JSON line a message."""

    def process(self, message: Message) -> None:
        view = message.buffer
        content = view.tolist() if view.nbytes < 100 and view.format != "B" else bytes(view[-8:]).decode("latin1")
        facts = [type(message).__name__, view.format, list(view.shape), content]
        print(json.dumps([*facts, message.time, dict(message.metadata), view.readonly]))

    def finish(self) -> None:
        print("finished")

    def teardown(self) -> None:
        print("torn down")


class Places(penstock.Node):
    """Says where its loaned memory is, in the message itself."""

    def process(self) -> Iterator[Bytes]:
        for size in (100, 4096, 40_000_000):
            loan = self.loan_bytes(size)
            text = json.dumps(place_of(loan.data)).encode()
            loan.data[: len(text) + 1] = text + b"\n"
            yield loan


class SamePlace(penstock.Node):
    """Compares with where it sees the message."""

    def process(self, message: Bytes) -> None:
        said = json.loads(bytes(message.data[:100]).split(b"\n")[0])
        print("same" if tuple(said) == place_of(message.data) else f"{said} is not {place_of(message.data)}")


class Numbers(penstock.Node):
    """`count` numbers, or numbers until stopped."""

    def setup(self, params: dict[str, Any]) -> None:
        self.count = params.get("count")

    def process(self) -> Iterator[Json]:
        n = 0
        try:
            while n != self.count:
                yield Json(n, time=n)
                n += 1
        finally:
            print("closed")


class FailsAt(penstock.Node):
    def setup(self, params: dict[str, Any]) -> None:
        self.number = params["number"]

    def process(self, message: Json) -> None:
        if message.value == self.number:
            raise ValueError(f"cannot handle {message.value}")


class FailsInSetup(penstock.Node):
    def setup(self, params: dict[str, Any]) -> None:
        raise RuntimeError("no model")

    def process(self, message: Json) -> None: ...


class Exits(penstock.Node):
    def process(self, message: Json) -> None:
        sys.exit("enough")


class Keeps(penstock.Node):
    """Keeps `keep` messages, then checks that they are still what they were."""

    def setup(self, params: dict[str, Any]) -> None:
        self.keep = params["keep"]
        self.kept: list[tuple[int, memoryview]] = []

    def process(self, message: Json) -> None:
        self.kept.append((message.value, message.buffer))
        del self.kept[: -self.keep]
        for value, view in self.kept:
            assert json.loads(bytes(view)) == value

    def finish(self) -> None:
        print([value for value, _ in self.kept])


class KeepsInCycles(penstock.Node):
    """Drops every message, but leaves it to the garbage collector."""

    def process(self, message: Json) -> None:
        cycle: list[Any] = [message]
        cycle.append(cycle)

    def finish(self) -> None:
        print("finished")


class Forks(penstock.Node):
    """A child that exits as Python does, and one that tries the ports."""

    def process(self, message: Json) -> Json:
        print(message.value)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                self.emit("out", message)
            except RuntimeError as error:
                print("refused:", error)
            try:
                bytes(message.buffer)
            except RuntimeError:
                print("refused again")
            del message
            self._penstock_context = None
            sys.stdout.flush()
            os._exit(7)
        print("child", os.WEXITSTATUS(os.waitpid(child, 0)[1]))
        exiting = os.fork()
        if exiting == 0:
            raise SystemExit(8)
        print("child", os.WEXITSTATUS(os.waitpid(exiting, 0)[1]))
        return message


class EmitsFromAThread(penstock.Node):
    def process(self) -> Iterator[Text]:
        said: list[str] = []

        def emit() -> None:
            try:
                self.emit("out", Text("never"))
            except RuntimeError as error:
                said.append(str(error))

        thread = threading.Thread(target=emit)
        thread.start()
        thread.join()
        yield Text("refused", metadata={"said": said})


class Sleeps(penstock.Node):
    """In a handler that takes for ever."""

    def process(self, message: Json) -> None:
        threading.Event().wait()


class Logs(penstock.Node):
    def process(self, message: Json) -> None:
        logging.getLogger("speech").warning("heard %d", message.value)
        print("printed")
        print("to stderr", file=sys.stderr)


class Writes(penstock.Node):
    """Tries to change what it received."""

    def process(self, message: Json) -> None:
        try:
            message.buffer[0] = 0
        except TypeError as error:
            print(error)
        try:
            (ctypes.c_char * 1).from_buffer(message.buffer)
        except TypeError as error:
            print(error)


class Ticks(penstock.Node):
    """Messages at media times of a clock."""

    def setup(self, params: dict[str, Any]) -> None:
        self.times = [params["first"] + i * params["period"] for i in range(params["count"])]

    def process(self) -> Iterator[Json]:
        for time in self.times:
            yield Json(time, time=time)


class Joined(penstock.Node):
    def process(self, left: Json, right: Json) -> None:
        print(left.value, right.value)
