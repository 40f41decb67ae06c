# ruff: noqa: PTH108, PTH110, PTH118, PTH123
"""The nodes of random pipelines. Copied beside each manifest; runs in every Python that Penstock supports.

Who a message is travels in its metadata, and in its text where it is one: the output that it left, the way it came, its
number on that way, and a checksum over these and the payload. Each node writes down what it begins to handle, before it
does anything else, with a system call a line: what was written stays when the process is killed. See ledger.py.
"""

import ctypes
import os
import random
import signal
import threading
import time
import zlib
from array import array
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar, Union

import penstock
from penstock import Audio, Bytes, Text

Handled = Union[Bytes, Text, Audio]
OVER_ANY_QUOTA = 60 << 20  # below the default max_message_bytes, above what an output of a small quota gets
FRAME = 80  # samples of a frame of media.source


def checksum(who: str, body: Any) -> int:
    return zlib.crc32(body, zlib.crc32(who.encode()))


def level_of(frame: int) -> int:
    """Of every sample of that frame of the audio file, which pipelines.py writes."""
    return (frame % 200 - 100) * 256


def fail(*_: object) -> None:
    raise RuntimeError("chaos")


class Ledger:
    """What a node writes down, and the orders that it finds in the folder that it shares with the driver."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.name, self.folder = params["name"], params["folder"]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.fd = os.open(os.path.join(self.folder, f"ledger.{self.name}"), flags, 0o666)
        self.order = os.path.join(self.folder, f"order.{self.name}")
        self.poisoned = os.path.join(self.folder, f"poison.{self.name}")

    def write(self, line: str) -> None:
        os.write(self.fd, f"{line}\n".encode())

    def take_order(self) -> list[str]:
        """What the driver wants done now; once."""
        if not os.path.exists(self.order):
            return []
        with open(self.order) as file:
            words = file.read().split()
        os.unlink(self.order)
        self.write(f"F {' '.join(words)}")
        return words


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


class Numbers(penstock.Node):
    """A source, until it is stopped or told to finish. Mostly small messages, a large one now and then."""

    def setup(self, params: dict[str, Any]) -> None:
        self.ledger = Ledger(params)
        self.dice, self.largest, self.pace = random.Random(params["seed"]), params["largest"], params["pace"]
        self.last = os.path.join(params["folder"], "finish")
        self.ledger.write("S")
        print("pid", os.getpid(), flush=True)

    def process(self) -> Iterator[Bytes]:
        index = 0
        try:
            while not os.path.exists(self.last):
                for word in self.ledger.take_order()[:1]:
                    if word == "quota":
                        yield Bytes(bytes(OVER_ANY_QUOTA))
                    perform(word)
                made = self.message(index)
                index += 1
                yield made
                time.sleep(self.dice.random() * self.pace)
        finally:
            self.ledger.write(f"E {index}")

    def message(self, index: int) -> Bytes:
        size = self.dice.choice([0, 0, 1, 100, 5000]) if self.dice.random() < 0.99 else self.largest
        return stamped(f"{self.ledger.name}.out {self.ledger.name} {index}", bytes([index % 251]) * size)


def stamped(who: str, body: bytes, as_text: bool = False) -> Any:
    if as_text:
        return Text(who, metadata={"who": who, "sum": checksum(who, who.encode())})
    return Bytes(body, metadata={"who": who, "sum": checksum(who, body)})


class Step(penstock.Node):
    """What all nodes with inputs have in common: they check what comes, write it down, and do what they are told."""

    inputs: ClassVar[dict[str, Any]] = {"a": Handled, "b": Handled, "c": Handled}

    def setup(self, params: dict[str, Any]) -> None:
        self.ledger, self.params = Ledger(params), params
        self.held: deque[Any] = deque(maxlen=params.get("hold", 0))
        self.dice = random.Random(params["name"])
        self.poison = self.cheat = ""
        if os.path.exists(self.ledger.poisoned):
            with open(self.ledger.poisoned) as file:
                self.poison = file.read()
        slow = os.path.join(params["folder"], f"slow.{params['name']}")
        self.ledger.write("S")
        signal.signal(signal.SIGUSR1, fail)
        print("pid", os.getpid(), flush=True)
        if os.path.exists(slow):
            with open(slow) as file:
                seconds = float(file.read())
            os.unlink(slow)
            threading.Event().wait(seconds)

    def identify(self, message: Any) -> tuple[str, str, int]:
        """Where it left, its way, its number. A changed message is written down: its handler would be repeated."""
        if isinstance(message, Audio):
            frame = int(message.sequence or 0)
            level = array("f", [level_of(frame) / 32768] * FRAME)
            if bytes(message.buffer) != level.tobytes():
                self.ledger.write(f"X frame {frame} was changed on its way")
            return "media.out", "media", frame
        who = message.metadata["who"]
        body: Any = message.text.encode() if isinstance(message, Text) else message.data
        if checksum(who, body) != message.metadata["sum"]:
            self.ledger.write(f"X message {who} was changed on its way")
        left, path, index = who.split(" ")
        return left, path, int(index)

    def steps(self, port: str, message: Any) -> Iterator[tuple[str, Any]]:
        """Each output port and what to send there, with faults where they were ordered."""
        left, path, index = self.identify(message)
        key = f"{port} {left} {message.sequence}"
        self.ledger.write(f"B {key} {int(message.redelivered)} {path} {index}")
        self.held.append(message)
        place, how = "", ""
        order = self.ledger.take_order()
        if order[:1] == ["quota"]:
            self.ask_for_too_much()
        elif order[:1] == ["talk"]:
            for _ in range(200):
                print("x" * 1000)
        elif order[:1] == ["cheat"]:
            self.cheat = order[1]
        elif order:
            place, how = order[:2]
            if order[2:] == ["poison"]:
                with open(self.ledger.poisoned, "w") as file:
                    file.write(f"{key} {place} {how}")
                self.poison = f"{key} {place} {how}"
        if self.poison.startswith(f"{key} "):
            place, how = self.poison.split(" ")[-2:]
        done = 0
        if place == "before":
            self.strike(key, how, done)
        for output in self.outputs_for(port, path, index, message):
            if done == 1 and place == "between":
                self.strike(key, how, done)
            yield output
            done += 1
        if place in ("between", "after"):
            self.strike(key, how, done)
        if self.params.get("pace"):
            time.sleep(self.dice.random() * self.params["pace"])

    def strike(self, key: str, how: str, done: int) -> None:
        if self.poison.startswith(f"{key} "):
            # What a list holds is sent when it is complete.
            self.ledger.write(f"P {key} {0 if self.params['style'] == 'list' else done}")
        perform(how)

    def ask_for_too_much(self) -> None:
        try:
            self.loan_bytes(OVER_ANY_QUOTA, port="out")
            self.ledger.write("Q granted")
        except penstock.MemoryQuotaError:
            self.ledger.write("Q refused")

    def outputs_for(self, port: str, path: str, index: int, message: Any) -> Iterator[tuple[str, Any]]:
        """See pipelines.Node.outputs_of, which says the same to the model."""
        name, every, times = self.ledger.name, self.params["every"], self.params["times"]
        if index % every:
            return
        as_text = self.params["as_text"]
        body = b"" if as_text or not isinstance(message, Bytes) else bytes(message.data)
        for number in range(times):
            for output, mark in (("out", ""), ("alt", "~")) if self.params["alt"] else (("out", ""),):
                who = f"{name}.{output} {path}/{name}.{port}{mark} {index * times + number}"
                yield output, stamped(who, body, as_text)

    def on_a(self, message: Handled) -> Any:
        return self.handle("a", message)

    def on_b(self, message: Handled) -> Any:
        return self.handle("b", message)

    def on_c(self, message: Handled) -> Any:
        return self.handle("c", message)

    def handle(self, port: str, message: Any) -> Any:
        style = self.params["style"]
        if style == "emit":
            for output, made in self.steps(port, message):
                self.emit(output, made)
            return None
        made = self.cheated(made for _, made in self.steps(port, message))
        return list(made) if style == "list" else made

    def cheated(self, made: Iterator[Any]) -> Iterator[Any]:
        """For the tests of the suite itself: what must never go unnoticed, once, when it is ordered."""
        held = []
        for message in made:
            if self.cheat:
                held.append(message)
            else:
                yield message
        if held:
            yield from tampered(self.cheat, held)
            self.cheat = ""


def tampered(how: str, messages: list[Any]) -> Iterator[Any]:
    if how == "repeat":
        messages = messages[:1] + messages
    elif how == "drop":
        messages = messages[1:]
    elif how == "reorder":
        messages = messages[::-1]
    elif how == "change" and messages:
        message = messages[0]
        messages[0] = Bytes(b"changed" + bytes(message.data), metadata=dict(message.metadata))
    elif how == "renumber" and messages:
        left, path, index = messages[0].metadata["who"].split(" ")
        messages[0] = stamped(f"{left} {path} {int(index) + 1}", b"")
    yield from messages


class Mix(Step):
    """Passes on what comes at any input, with its own name in the path."""

    outputs: ClassVar[dict[str, Any]] = {"out": Union[Bytes, Text]}


class Fork(Step):
    """The same at two outputs."""

    outputs: ClassVar[dict[str, Any]] = {"out": Union[Bytes, Text], "alt": Union[Bytes, Text]}


class Check(Step):
    """An end: writes down what arrives."""

    outputs: ClassVar[dict[str, Any]] = {}

    def outputs_for(self, port: str, path: str, index: int, message: Any) -> Iterator[tuple[str, Any]]:
        return iter(())
