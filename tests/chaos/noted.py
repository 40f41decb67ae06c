# ruff: noqa: PTH108, PTH110, PTH118, PTH123
"""What the nodes of random pipelines have in common: what they write down, what they are told, and who a message is.

Who a message is travels in its metadata, and in its text where it is one: the output that it left, the way it came, its
number on that way, and a checksum over these and the payload. Each node writes down what it begins to handle, before it
does anything else, with a system call a line: what was written stays when the process is killed. See ledger.py.

Copied beside each manifest, with nodes.py and sources.py; runs in every Python that Penstock supports.
"""

import ctypes
import os
import signal
import threading
import zlib
from typing import Any, Optional

from penstock import Bytes, Text

OVER_ANY_QUOTA = 60 << 20  # below the default max_message_bytes, above what an output of a small quota gets


def checksum(who: str, body: Any) -> int:
    return zlib.crc32(body, zlib.crc32(who.encode()))


def stamped(who: str, body: bytes, as_text: bool = False, time: Optional[int] = None) -> Any:
    if as_text:
        return Text(who, metadata={"who": who, "sum": checksum(who, who.encode())})
    return Bytes(body, time=time, metadata={"who": who, "sum": checksum(who, body)})


def fail(*_: object) -> None:
    raise RuntimeError("chaos")


def perform(how: str) -> None:
    if how == "exception":
        fail()
    elif how == "exit":
        os._exit(3)
    elif how == "segfault":
        ctypes.string_at(0)
    elif how == "hang":
        threading.Event().wait()
    elif how == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "memory":
        hoard = []
        while True:
            hoard.append(b"\x01" * (8 << 20))


def talk() -> None:
    for _ in range(200):
        print("x" * 1000)


class Ledger:
    """What a node writes down, and the orders that it finds in the folder that it shares with the driver."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.name, self.folder = params["name"], params["folder"]
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self.fd = os.open(self.file("ledger"), flags, 0o666)

    def file(self, what: str) -> str:
        return os.path.join(self.folder, f"{what}.{self.name}")

    def write(self, line: str) -> None:
        os.write(self.fd, f"{line}\n".encode())

    def take(self, what: str) -> str:
        """What a file says that the driver wrote for this node; once."""
        if not os.path.exists(self.file(what)):
            return ""
        with open(self.file(what)) as file:
            text = file.read()
        os.unlink(self.file(what))
        return text

    def take_order(self) -> list[str]:
        """What the driver wants done now."""
        words = self.take("order").split()
        if words:
            self.write(f"F {' '.join(words)}")
        return words

    def begin(self) -> None:
        """A worker begins; slowly, or not at all, where that was ordered."""
        self.write("S")
        signal.signal(signal.SIGUSR1, fail)
        print("pid", os.getpid(), flush=True)
        threading.Event().wait(float(self.take("slow") or 0))
        perform(self.take("bad"))
