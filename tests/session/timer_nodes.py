"""Nodes with timers and coroutines that fail once, and then not again."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import penstock
from penstock import Text


class Once(penstock.Node):
    """Fails once, as a file remembers."""

    def setup(self, params: dict) -> None:
        self.marker = Path(params["marker"])

    def fail(self) -> None:
        if not self.marker.exists():
            self.marker.touch()
            os._exit(3)


class Fragile(Once):
    """A coroutine that sends two texts for each, and fails between them."""

    async def process(self, text: Text) -> AsyncIterator[Text]:
        yield Text(text.text + "a")
        await asyncio.sleep(0)
        if text.text == "3":
            self.fail()
        yield Text(text.text + "b")


class Refuses(penstock.Node):
    async def process(self, text: Text) -> Text:
        if text.text == "3":
            raise ValueError("not this one")
        return text


class RefusesAndTicks(Refuses):
    @penstock.every("1h")
    async def tick(self) -> None:
        pass


class Repeats(Once):
    """A source that fails at its tenth message. Its successor is asked to stop while it repeats what was sent."""

    replayable = True

    def process(self) -> Iterator[Text]:
        is_first = not self.marker.exists()
        for i in range(100):
            if is_first and i == 10:
                self.fail()
            yield Text(str(i))
            if not is_first and i == 4:
                print("repeats", flush=True)
                while not self.stop_requested:
                    threading.Event().wait(0.001)

    def finish(self) -> Text:
        return Text("end")


class Hangs(penstock.Node):
    async def process(self, text: Text) -> None:
        await asyncio.Event().wait()


class Ticking(Once):
    """Two texts for each, and ticks between messages, which it counts in a file. Fails at params["at"]."""

    def setup(self, params: dict) -> None:
        super().setup(params)
        self.at, self.ticks, self.last = params["at"], params["ticks"], ""

    def process(self, text: Text) -> Iterator[Text]:
        threading.Event().wait(0.002)  # two periods: a tick is due after each
        self.last = text.text
        yield Text(text.text + "a")
        if self.at == "message" and text.text == "7":
            self.fail()
        yield Text(text.text + "b")

    @penstock.every("1ms")
    def tick(self) -> None:
        self.emit("out", Text("tick"))
        with Path(self.ticks).open("a") as file:
            file.write("t")
        if self.at == "tick" and self.last == "7":
            self.fail()

    def finish(self) -> Iterator[Text]:
        yield Text("first")
        if self.at == "finish":
            self.fail()
        yield Text("second")


class Eager(penstock.Node):
    """Two texts for each, and ticks that are due at any time. Fails twice between the texts of the eighth message."""

    def setup(self, params: dict) -> None:
        self.markers = [Path(f"{params['marker']}{number}") for number in range(2)]

    def process(self, text: Text) -> Iterator[Text]:
        yield Text(text.text + "a")
        left = [marker for marker in self.markers if not marker.exists()]
        if text.text == "7" and left:
            left[0].touch()
            os._exit(3)
        yield Text(text.text + "b")

    @penstock.every("1us")
    def tick(self) -> Text:
        return Text("tick")


class Beats(Once):
    """A source of nothing but ticks. Fails after the third."""

    count = 0

    @penstock.every("1ms")
    def beat(self) -> Text:
        self.count += 1
        if self.count == 4:
            self.fail()
        return Text(str(self.count))


class Until(penstock.Node):
    """Says when a text was there twice."""

    def setup(self, params: dict) -> None:
        self.seen: list = []

    def process(self, text: Text) -> Text:
        self.seen.append(text.text)
        if self.seen.count("3") == 2:
            print("twice", self.seen[:6], flush=True)
        return text
