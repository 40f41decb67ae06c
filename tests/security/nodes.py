"""The nodes of the security tests. Copied beside a manifest; runs on Python 3.9 and later."""

import ctypes
import json
import os
import threading
from collections.abc import Iterator
from typing import Any, Union

import attack
import intrude
import penstock
import probe
import scribble
from penstock import Audio, Bytes, Text


class Once(penstock.Node):
    def process(self) -> Iterator[Text]:
        yield Text("go")


class Probe(penstock.Node):
    """Looks for ways out when its ports are open, and prints what it found."""

    def setup(self, params: dict) -> None:
        self.secrets = params["secrets"]

    def process(self, text: Text) -> Text:
        print("probe " + json.dumps(probe.probe(self.secrets)), flush=True)
        return text


class Stay(penstock.Node):
    """Another session's worker."""

    def process(self) -> Iterator[Text]:
        print("stays in", os.uname().nodename, flush=True)
        while not self.stop_requested:
            yield Text("more")


class Intrude(penstock.Node):
    """Says where it runs and what it can do to the other processes there."""

    def process(self) -> Iterator[Text]:
        yield Text(json.dumps({"container": os.uname().nodename, **intrude.intrude()}))


class Attack(penstock.Node):
    def setup(self, params: dict) -> None:
        self.params = params

    def process(self) -> Iterator[Text]:
        yield Text(json.dumps(attack.attack(self.params)))


class Given(penstock.Node):
    """What it finds of what it was given."""

    def setup(self, params: dict) -> None:
        self.params = params

    def process(self) -> Iterator[Text]:
        found: dict[str, Any] = {"env": {name: os.environ.get(name) for name in self.params["env"]}, "files": {}}
        for path in self.params["files"]:
            with open(path) as file:  # noqa: PTH123
                found["files"][path] = {"text": file.read(), "mode": oct(os.stat(path).st_mode & 0o777)}  # noqa: PTH116
        found["writable"] = [path for path in self.params["directories"] if probe.can_write(path)]
        print("given", json.dumps(found), flush=True)
        while not self.stop_requested:
            yield Text("more")


class Endless(penstock.Node):
    def process(self) -> Iterator[Text]:
        print("pid", os.getpid(), flush=True)
        while True:
            yield Text("more")


class Pass(penstock.Node):
    """With params["fork"], a child process of the node holds what the node holds."""

    def setup(self, params: dict) -> None:
        if params.get("fork") and os.fork() == 0:
            os.setsid()
            threading.Event().wait()
        print("set up", flush=True)
        if params.get("hang"):
            threading.Event().wait()

    def process(self, text: Text) -> Text:
        return text


class _Buffer(ctypes.Structure):
    """The start of Py_buffer, with room for the rest."""

    _fields_ = (("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("rest", ctypes.c_char * 128))


def place_of(buffer: memoryview) -> dict[str, Any]:
    """Which byte of which file the buffer's first byte is."""
    view = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(buffer), ctypes.byref(view), 0)
    address = view.buf
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(view))
    with open("/proc/self/maps") as maps:  # noqa: PTH123
        for line in maps:
            span, _, offset, device, inode = line.split()[:5]
            start, end = (int(edge, 16) for edge in span.split("-"))
            if start <= address < end:
                return {"device": device, "inode": int(inode), "offset": address - start + int(offset, 16)}
    raise AssertionError("the buffer is not mapped")


class Lend(penstock.Node):
    """Writes into each loaned buffer where that buffer lies."""

    def setup(self, params: dict) -> None:
        self.sizes = params["sizes"]

    def process(self) -> Iterator[Union[Bytes, Audio]]:
        for size in self.sizes:
            for message in (self.loan_bytes(size), self.loan_audio(size // 4, 1, 16000)):
                buffer = message.buffer.cast("B")
                text = json.dumps(place_of(buffer)).encode()
                buffer[: len(text)] = text
                buffer[len(text)] = 0
                buffer.release()
                yield message


class Look(penstock.Node):
    """Where its view lies, next to where the sender's lay, and where a copy would lie."""

    def process(self, message: Union[Bytes, Audio]) -> Text:
        buffer = message.buffer.cast("B")
        lent = json.loads(bytes(buffer[:200]).partition(b"\0")[0])
        seen, copied = place_of(buffer), place_of(memoryview(bytes(buffer)))
        return Text(json.dumps({"lent": lent, "seen": seen, "copied": copied, "size": len(buffer)}))


class Few(penstock.Node):
    def process(self) -> Iterator[Text]:
        for number in range(20):
            yield Text(str(number))


class Stumble(penstock.Node):
    """Is killed at every message, and handles it when it is delivered again."""

    def process(self, text: Text) -> Text:
        if not text.redelivered:
            os.kill(os.getpid(), 9)
        return text


class Large(penstock.Node):
    """One message of params["bytes"], then small ones without end."""

    def setup(self, params: dict) -> None:
        self.bytes = params["bytes"]

    def process(self) -> Iterator[Bytes]:
        yield Bytes(bytes(self.bytes))
        while not self.stop_requested:
            yield Bytes(b"small")


class Refuse(penstock.Node):
    """Fails at large messages."""

    def process(self, message: Bytes) -> None:
        if len(message.data) > 100:
            raise ValueError("too large for me")


class Count(penstock.Node):
    """Sends on and on."""

    def process(self) -> Iterator[Text]:
        while not self.stop_requested:
            yield Text("more")


class Scribble(penstock.Node):
    """Passes messages on, and from the tenth has a child process write into the memory that it shares with others."""

    def setup(self, params: dict) -> None:
        self.what = params["what"]
        self.passed = 0

    def process(self, text: Text) -> Text:
        self.passed += 1
        if self.passed == 10:
            scribble.start(self.what)
        return text
