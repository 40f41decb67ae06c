"""What each message type takes, refuses, and looks like to its receiver."""

from __future__ import annotations

import array
import math
from typing import Any

import penstock
import pytest
from penstock import Audio, Bytes, Image, Json, Message, Tensor, Text, testing

np = pytest.importorskip("numpy")


class Echo(penstock.Node):
    def process(self, message: Message) -> Message:
        return message


def received(message: Message) -> Any:
    """The message as its receiver sees it."""
    [out] = testing.run(Echo, [message])
    return out


def test_audio_arrives_as_read_only_float32_frames_by_channels() -> None:
    samples = np.linspace(-1, 1, 640, dtype=np.float32).reshape(320, 2)
    audio = received(Audio(samples, 16000, time=40_000_000, metadata={"speaker": "a"}))
    assert audio.samples.dtype == np.float32 and audio.samples.shape == (320, 2) and audio.samples.flags.c_contiguous
    assert not audio.samples.flags.writeable
    np.testing.assert_array_equal(audio.samples, samples)
    assert (audio.rate, audio.time, audio.duration, dict(audio.metadata)) == (
        16000,
        40_000_000,
        20_000_000,
        {"speaker": "a"},
    )


def test_one_dimension_of_samples_is_mono() -> None:
    assert received(Audio(np.zeros(160, np.float32), 8000)).shape == (160, 1)
    assert received(Audio(array.array("f", [0.5] * 3), 8000)).samples[1, 0] == 0.5


def test_no_frames_are_fine() -> None:
    assert received(Audio(np.zeros((0, 2), np.float32), 8000)).samples.shape == (0, 2)
    assert received(Audio(np.zeros((0, 2), np.float64), 8000)).samples.shape == (0, 2)


@pytest.mark.parametrize("dtype", ["float64", "float16", ">f4"])
def test_wider_samples_are_converted(dtype: str) -> None:
    assert received(Audio(np.array([[0.25], [-0.5]], dtype), 8000)).samples.tolist() == [[0.25], [-0.5]]


def test_samples_need_not_be_contiguous() -> None:
    stereo = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert received(Audio(stereo[:, 1], 8000)).samples[:, 0].tolist() == [1, 3, 5]
    assert received(Audio(stereo[::-1], 8000)).samples.tolist() == [[4, 5], [2, 3], [0, 1]]
    assert received(Audio(np.asfortranarray(stereo), 8000)).samples.tolist() == stereo.tolist()


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(4, np.int16), "divide by 32768"),
        (np.zeros(4, np.complex64), "complex64"),
        (np.zeros((1, 16000), np.float32), "transpose"),
        (np.float32(1), r"\(frames, channels\)"),
        (np.zeros((2, 2, 2), np.float32), r"\(frames, channels\)"),
        ([0.0, 1.0], "list"),
    ],
)
def test_samples_that_would_lose_their_meaning_are_refused(samples: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        received(Audio(samples, 16000))


def test_rate_is_a_positive_integer() -> None:
    assert Audio(np.zeros(1, np.float32), np.int64(8000)).rate == 8000
    for rate in (0, -1, 16000.0):
        with pytest.raises((TypeError, ValueError), match="rate"):
            Audio(np.zeros(1, np.float32), rate)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"],
)
def test_tensors_keep_type_and_shape(dtype: str) -> None:
    values = np.arange(12).astype(dtype).reshape(2, 3, 2)
    tensor = received(Tensor(values))
    assert tensor.array.dtype == values.dtype and tensor.shape == (2, 3, 2)
    np.testing.assert_array_equal(tensor.array, values)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_tensors_keep_type_and_shape(dtype: str) -> None:
    values = (np.arange(6) * (1 + 2j)).astype(dtype).reshape(3, 2)
    np.testing.assert_array_equal(received(Tensor(values)).array, values)


def test_tensors_may_be_scalars_empty_strided_or_of_another_byte_order() -> None:
    assert received(Tensor(np.float32(2.5))).array.shape == ()
    assert received(Tensor(np.zeros((0, 3)))).array.shape == (0, 3)
    assert received(Tensor(np.arange(10)[::3])).array.tolist() == [0, 3, 6, 9]
    assert received(Tensor(np.array([1, 2], ">i4"))).array.tolist() == [1, 2]


@pytest.mark.parametrize(
    "values", [np.array(["a"]), np.array([None]), np.zeros(1, "M8[s]"), np.zeros((1,) * 9), [1, 2]]
)
def test_tensors_that_others_could_not_read_are_refused(values: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        received(Tensor(values))


@pytest.mark.parametrize(("format", "channels"), [("rgb24", 3), ("bgr24", 3), ("gray8", 1), ("rgba32", 4)])
def test_pictures_arrive_as_read_only_pixels_in_their_format(format: str, channels: int) -> None:
    pixels = np.arange(2 * 4 * channels, dtype=np.uint8).reshape(2, 4, channels)
    image = received(Image(pixels, format, time=5, metadata={"camera": 1}))
    assert (image.format, image.width, image.height, image.time) == (format, 4, 2, 5)
    assert image.pixels.dtype == np.uint8 and not image.pixels.flags.writeable
    np.testing.assert_array_equal(image.pixels, pixels)


def test_pictures_need_not_be_contiguous_nor_have_a_channel_dimension() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(received(Image(pixels[:, ::-1], "bgr24")).pixels, pixels[:, ::-1])
    np.testing.assert_array_equal(received(Image(pixels[:, :, 1], "gray8")).pixels, pixels[:, :, 1:2])


def test_the_height_of_nv12_is_that_of_the_picture() -> None:
    image = received(Image(np.zeros((6, 4), np.uint8), "nv12"))
    assert (image.shape, image.width, image.height) == ((6, 4, 1), 4, 4)
    assert repr(image) == "Image(4×4, nv12)"


@pytest.mark.parametrize(
    ("pixels", "format", "said"),
    [
        (np.zeros((2, 4, 3), np.uint8), "rgb", "no pixel format 'rgb'; there are rgb24, bgr24"),
        (np.zeros((2, 4, 4), np.uint8), "rgb24", r"rgb24 takes \(height, width, 3\)"),
        (np.zeros((2, 4), np.uint8), "rgb24", r"rgb24 takes \(height, width, 3\)"),
        (np.zeros((5, 4), np.uint8), "nv12", r"height \* 3 // 2"),
        (np.zeros((2, 4, 3)), "rgb24", "multiply by 255"),
        (np.zeros((2, 4, 3), np.int16), "rgb24", "uint8"),
    ],
)
def test_pixels_that_make_no_picture_are_refused(pixels: Any, format: str, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        received(Image(pixels, format))


def test_text_json_and_bytes_arrive_equal() -> None:
    assert received(Text("grüße 🎙")).text == "grüße 🎙"
    assert received(Text("")).text == ""
    assert received(Json({"a": [1, None, "ü"], "f": 0.5})).value == {"a": [1, None, "ü"], "f": 0.5}
    assert received(Json(np.float32(0.5))).value == 0.5
    assert bytes(received(Bytes(bytearray(b"\x00\xff"))).data) == b"\x00\xff"
    assert bytes(received(Bytes(memoryview(b"abcdef")[::2])).data) == b"ace"


@pytest.mark.parametrize("value", [math.nan, float("inf"), object(), {1, 2}, np.zeros(2)])
def test_values_that_json_cannot_say_are_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="JSON"):
        received(Json({"value": value}))


def test_a_received_message_cannot_be_written_to() -> None:
    audio = received(Audio(np.zeros(4, np.float32), 8000))
    with pytest.raises(ValueError, match="read-only"):
        audio.samples[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        audio.samples.flags.writeable = True
    with pytest.raises(TypeError):
        audio.buffer[0, 0] = 1


def test_a_time_is_inherited_unless_given() -> None:
    class Say(penstock.Node):
        def process(self, message: Text) -> list[Text]:
            return [Text("a"), Text("b", time=7)]

    first, second = testing.run(Say, [Text("x", time=5)])
    assert (first.time, second.time) == (5, 7)
    [first, _] = testing.run(Say, [Text("x")])
    assert not first.has_time and first.time == 0


def test_messages_describe_themselves() -> None:
    assert (
        repr(Audio(np.zeros((160, 2), np.float32), 16000, time=5)) == "Audio(160 frames, 2 channels, 16000 Hz, time=5)"
    )
    assert repr(Tensor(np.zeros((2, 3)))) == "Tensor(2×3)"
    assert repr(Text("hi")) == "Text('hi')"
    assert repr(Bytes(b"abc")) == "Bytes(3 bytes)"
