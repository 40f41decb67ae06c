"""Nodes of worker_test.cpp that need numpy."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import penstock
from pair import place_of
from penstock import Audio, Image, Message, Tensor


class Loans(penstock.Node):
    """Arrays that were written in place, with where they are; then some that are converted or copied."""

    def process(self) -> Iterator[Message]:
        audio = self.loan_audio(4, 2, 16000, metadata={"place": [" " * 20, " " * 20, 2**60]})
        where = place_of(audio.buffer)
        audio._metadata = {"place": where}
        samples = audio.samples
        assert samples.flags.writeable and samples.dtype == np.float32 and samples.shape == (4, 2)
        samples[:] = np.arange(8).reshape(4, 2)
        yield audio
        try:
            samples[0, 0] = 1
        except ValueError:
            pass
        else:
            raise AssertionError("what was emitted can still be written to")

        tensor = self.loan_tensor((2, 3), np.int64)
        tensor.array[...] = 5
        yield tensor
        yield Audio(np.arange(6, dtype=np.float64)[::2], 8000)
        yield Tensor(np.arange(6, dtype=np.complex64).reshape(2, 3).T)
        image = self.loan_image(2, 4, "bgr24")
        np.asarray(image)[:] = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
        yield image
        yield Image(np.arange(24, dtype=np.uint8).reshape(6, 4), "nv12")


class Checks(penstock.Node):
    """Each as it was meant, none of them writable."""

    def setup(self, params: dict[str, object]) -> None:
        self.count = 0

    def process(self, message: Message) -> None:
        array = np.asarray(message)
        assert not array.flags.writeable and array.flags.c_contiguous
        if self.count == 0:
            assert array.ctypes.data == np.asarray(message.buffer).ctypes.data
            assert json.loads(json.dumps(place_of(memoryview(array)))) == message.metadata["place"]
            expected = np.arange(8, dtype=np.float32).reshape(4, 2)
        elif self.count == 1:
            expected = np.full((2, 3), 5, np.int64)
        elif self.count == 2:
            expected = np.array([[0], [2], [4]], np.float32)
        elif self.count == 3:
            expected = np.arange(6, dtype=np.complex64).reshape(2, 3).T
        else:
            assert isinstance(message, Image)
            expected = np.arange(24, dtype=np.uint8).reshape((2, 4, 3) if self.count == 4 else (6, 4, 1))
            assert (message.format, message.width, message.height) == (("bgr24", 4, 2), ("nv12", 4, 4))[self.count - 4]
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)
        self.count += 1
        print("ok")
