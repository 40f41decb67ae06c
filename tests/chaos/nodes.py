# ruff: noqa: PTH110, PTH123
"""The nodes of random pipelines that have inputs; see noted.py."""

import os
import random
import time
import zlib
from array import array
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar, Union

import penstock
from noted import OVER_ANY_QUOTA, Ledger, checksum, perform, stamped, talk
from penstock import Audio, Bytes, Text

Handled = Union[Bytes, Text, Audio]
FRAME = 80  # samples of a frame of media.source


def level_of(frame: int) -> int:
    """Of every sample of that frame of the audio file, which pipelines.py writes."""
    return (frame % 200 - 100) * 256


class Step(penstock.Node):
    """What all nodes with inputs have in common: they check what comes, write it down, and do what they are told."""

    def setup(self, params: dict[str, Any]) -> None:
        self.ledger, self.params = Ledger(params), params
        self.held: deque[Any] = deque(maxlen=params.get("hold", 0))
        self.dice = random.Random(params["name"])
        self.poison = self.cheat = ""
        self.poisoned = self.ledger.file("poison")
        if os.path.exists(self.poisoned):
            with open(self.poisoned) as file:
                self.poison = file.read()
        self.ledger.begin()

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

    def steps(self, port: str, message: Any, partner: Any) -> Iterator[tuple[str, Any]]:
        """Each output port and what to send there, with faults where they were ordered."""
        left, path, index = self.identify(message)
        key = f"{port} {left} {message.sequence}"
        beside = "" if partner is None else " with={}|{}|{}".format(*self.identify(partner))
        self.ledger.write(f"B {key} {int(message.redelivered)} {path} {index}{beside}{self.state_before(path, index)}")
        self.held.append(message)
        place, how = "", ""
        order = self.ledger.take_order()
        if order[:1] == ["quota"]:
            self.ask_for_too_much()
        elif order[:1] == ["talk"]:
            talk()
        elif order == ["cheat", "forget"]:
            self.restore({"count": 0, "digest": 0})
        elif order[:1] == ["cheat"]:
            self.cheat = order[1]
        elif order:
            place, how = order[:2]
            if order[2:] == ["poison"]:
                with open(self.poisoned, "w") as file:
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

    def state_before(self, path: str, index: int) -> str:
        """What is kept of the messages before this one, which becomes part of it. Of nodes that keep nothing: none."""
        return ""

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

    def handle(self, port: str, message: Any, partner: Any = None) -> Any:
        style = self.params["style"]
        if style == "emit":
            for output, made in self.steps(port, message, partner):
                self.emit(output, made)
            return None
        made = self.cheated(made for _, made in self.steps(port, message, partner))
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


class Apart(Step):
    """One that handles the messages of each input by themselves."""

    inputs: ClassVar[dict[str, Any]] = {"a": Handled, "b": Handled, "c": Handled}

    def on_a(self, message: Handled) -> Any:
        return self.handle("a", message)

    def on_b(self, message: Handled) -> Any:
        return self.handle("b", message)

    def on_c(self, message: Handled) -> Any:
        return self.handle("c", message)


class Mix(Apart):
    """Passes on what comes at any input, with its own name in the path."""

    outputs: ClassVar[dict[str, Any]] = {"out": Union[Bytes, Text]}


class Fork(Apart):
    """The same at two outputs."""

    outputs: ClassVar[dict[str, Any]] = {"out": Union[Bytes, Text], "alt": Union[Bytes, Text]}


class Join(Step):
    """Passes on what comes at its first input, where there is something at the other one that belongs to it."""

    inputs: ClassVar[dict[str, Any]] = {"a": Handled, "b": Handled}
    outputs: ClassVar[dict[str, Any]] = {"out": Union[Bytes, Text]}

    def process(self, a: Handled, b: Handled) -> Any:
        return self.handle("a", a, b)


class Kept(Step):
    """What a step keeps over the end of its worker: how many messages it handled, and a checksum over all of them."""

    count = digest = 0

    def state_before(self, path: str, index: int) -> str:
        before = f" state={self.count}:{self.digest}"
        self.count += 1
        self.digest = zlib.crc32(f"{path} {index}".encode(), self.digest)
        return before

    def checkpoint(self) -> dict[str, Any]:
        return {"count": self.count, "digest": self.digest, "ballast": "x" * self.params["ballast"]}

    def restore(self, state: dict[str, Any]) -> None:
        self.count, self.digest = state["count"], state["digest"]


class KeptMix(Kept, Mix):
    pass


class KeptFork(Kept, Fork):
    pass


class KeptJoin(Kept, Join):
    pass


class Check(Apart):
    """An end: writes down what arrives."""

    outputs: ClassVar[dict[str, Any]] = {}

    def outputs_for(self, port: str, path: str, index: int, message: Any) -> Iterator[tuple[str, Any]]:
        return iter(())
