"""A pipeline of video as one has it: a camera, a tracker that looks back at some frames, a slow preview.

Frames are 1080p, three bytes a pixel, written and looked at without numpy: the base images have none.
"""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Iterator
from typing import Any

import penstock
from penstock import Json, Tensor

HEIGHT, WIDTH, CHANNELS = 1080, 1920, 3
ROW = WIDTH * CHANNELS
PATTERN = bytes(range(256)) * (ROW * 8 // 256 + 1)


def stamp(number: int) -> bytes:
    return number.to_bytes(8, "little")


def check(number: int, frame: Tensor) -> None:
    """The number stands at the beginning of every row, so that a frame that was written over is found out."""
    pixels = frame.buffer.cast("B")
    expected = stamp(number)
    for at in range(0, HEIGHT * ROW, ROW):
        if pixels[at : at + 8] != expected:
            raise AssertionError(
                f"row {at // ROW} of frame {number} is another frame's: {bytes(pixels[at : at + 8])!r}"
            )


class Camera(penstock.Node):
    """Frames at params["fps"], each written from end to end."""

    def setup(self, params: dict[str, Any]) -> None:
        self.fps = params["fps"]
        print("pid", os.getpid(), flush=True)

    def process(self) -> Iterator[Tensor]:
        begin, number = time.monotonic_ns(), 0
        while self.sleep_until(begin + number * 1_000_000_000 // self.fps):
            frame = self.loan_tensor((HEIGHT, WIDTH, CHANNELS), "uint8", time=number * 1_000_000_000 // self.fps)
            pixels = frame.buffer.cast("B")
            for at in range(0, HEIGHT * ROW, 8 * ROW):
                shift = number % 256
                pixels[at : at + 8 * ROW] = PATTERN[shift : shift + 8 * ROW]
            for at in range(0, HEIGHT * ROW, ROW):
                pixels[at : at + 8] = stamp(number)
            pixels.release()
            yield frame
            number += 1


class Track(penstock.Node):
    """Keeps params["keeps"] frames to compare with, and looks at each when it comes and when it goes."""

    def setup(self, params: dict[str, Any]) -> None:
        self.keeps = params["keeps"]
        self.kept: collections.deque[tuple[int, Tensor]] = collections.deque()
        self.handled = 0
        print("pid", os.getpid(), flush=True)

    def process(self, frame: Tensor) -> Json:
        check(self.handled, frame)
        self.kept.append((self.handled, frame))
        self.handled += 1
        if len(self.kept) > self.keeps:
            check(*self.kept.popleft())
        return Json({"frame": self.handled - 1, "oldest": self.kept[0][0]})


class Preview(penstock.Node):
    """Shows whatever is newest, at its leisure: params["busy_ms"] for a frame."""

    def setup(self, params: dict[str, Any]) -> None:
        self.busy_ns = params["busy_ms"] * 1_000_000
        print("pid", os.getpid(), flush=True)

    def process(self, frame: Tensor) -> None:
        number = frame.sequence
        assert number is not None
        end = time.monotonic_ns() + self.busy_ns
        check(number, frame)
        time.sleep(max(0, end - time.monotonic_ns()) / 1e9)  # a display's
        check(number, frame)


class Tally(penstock.Node):
    """The end of the pipeline: a result for every frame, in order."""

    def setup(self, params: dict[str, Any]) -> None:
        self.expected = 0
        print("pid", os.getpid(), flush=True)

    def process(self, result: Json) -> None:
        assert result.value["frame"] == self.expected, (result.value, self.expected)
        self.expected += 1

    def finish(self) -> None:
        print("tally", self.expected, flush=True)
