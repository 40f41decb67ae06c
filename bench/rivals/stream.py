"""What source, worker and sink do in every system that is compared: numbered, checksummed messages at a steady rate.

The systems differ in how bytes get from one to the next, and in that alone. Roles meet the bench in a folder:

- `plan.json`: how many messages, bytes of each, messages a second, and the time that the worker needs for one.
- `worker`: incarnation and process id of the worker that runs now; a worker that starts replaces it.
- `arrived`: one `ARRIVAL` for each message, written by the sink as it arrives.
- `sent`: appears when the source has handed over its last message.
"""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Callable, Optional, Union

Data = Union[bytes, bytearray, memoryview]

HEAD = struct.Struct("<QQI")  # number; incarnation of the worker, 0 from the source; checksum of number and body
ARRIVAL = struct.Struct("<QQQ?")  # number, incarnation of the worker, CLOCK_MONOTONIC in ns, whether it is unchanged


def _checksum(number: int, body: Data) -> int:
    return zlib.crc32(body, number & 0xFFFFFFFF)


def make(number: int, size: int, worker: int = 0) -> bytes:
    """The message of that number: its body says the number over and over."""
    body = (number.to_bytes(8, "little") * (size // 8))[: size - HEAD.size]
    return HEAD.pack(number, worker, _checksum(number, body)) + body


def is_unchanged(data: Data) -> bool:
    number, worker, checksum = HEAD.unpack_from(data)
    view = memoryview(data)
    return checksum == _checksum(number, view[HEAD.size :]) and bytes(view) == make(number, len(view), worker)


class Plan:
    def __init__(self, folder: Path) -> None:
        plan = json.loads((folder / "plan.json").read_text())
        self.messages: int = plan["messages"]
        self.size: int = plan["size"]
        self.rate: int = plan["rate"]
        self.work_s: float = plan["work_s"]


def write_plan(folder: Path, **plan: float) -> None:
    (folder / "plan.json").write_text(json.dumps(plan))


def messages(folder: Path, sleep_until: Optional[Callable[[int], bool]] = None) -> Iterable[bytes]:
    """The source's, each at its time; a source that was held up goes on at once until it has caught up."""
    plan = Plan(folder)
    begin = time.monotonic_ns()
    for number in range(plan.messages):
        due = begin + number * 1_000_000_000 // plan.rate
        if sleep_until is not None:
            sleep_until(due)
        elif (left := due - time.monotonic_ns()) > 0:
            time.sleep(left / 1e9)
        yield make(number, plan.size)
    (folder / "sent").touch()


class Worker:
    def __init__(self, folder: Path) -> None:
        self.plan = Plan(folder)
        self.incarnation = int.from_bytes(os.urandom(6), "little") + 1
        draft = folder / f"worker.{self.incarnation}"
        draft.write_text(f"{self.incarnation} {os.getpid()}")
        draft.replace(folder / "worker")

    def answer(self, data: Data) -> bytes:
        """Checks a message, works on it, and gives the one to send on."""
        if not is_unchanged(data):
            raise ValueError(f"a message came to the worker changed: {bytes(data[: HEAD.size]).hex()}")
        time.sleep(self.plan.work_s)
        return make(HEAD.unpack_from(data)[0], len(data), self.incarnation)


class Sink:
    def __init__(self, folder: Path) -> None:
        self._file = (folder / "arrived").open("ab", buffering=0)

    def note(self, data: Data) -> None:
        now = time.monotonic_ns()
        number, worker, _ = HEAD.unpack_from(data)
        self._file.write(ARRIVAL.pack(number, worker, now, is_unchanged(data)))
