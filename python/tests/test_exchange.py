"""Arrays of other libraries in messages, and the other way round: DLPack and numpy's array interface."""

from __future__ import annotations

import ctypes
import gc
import weakref
from typing import Any

import penstock
import pytest
from penstock import Audio, Image, Message, Tensor, _dlpack, testing

np = pytest.importorskip("numpy")
VERSION = tuple(map(int, np.__version__.split(".")[:2]))


class Echo(penstock.Node):
    def process(self, message: Message) -> Message:
        return message


def received(message: Message) -> Any:
    [out] = testing.run(Echo, [message])
    return out


class Exporter:
    """Another library's array: it has DLPack and nothing else."""

    def __init__(self, array: Any, device: tuple[int, int] = (1, 0)) -> None:
        self._array = array
        self._device = device

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device

    @property
    def shape(self) -> Any:
        return self._array.shape


needs_dlpack = pytest.mark.skipif(VERSION < (1, 23), reason=f"NOT TESTED: numpy {np.__version__} exports no DLPack")


@needs_dlpack
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "float16", "float32", "float64", "complex64"])
def test_tensors_are_taken_from_any_dlpack_exporter(dtype: str) -> None:
    values = np.arange(24).astype(dtype).reshape(2, 3, 4)
    for array in (values, values[:, 1:, ::2], values.T, values[:0], np.full((), 5, dtype)):
        tensor = received(Tensor(Exporter(array)))
        assert tensor.array.dtype == values.dtype and tensor.shape == array.shape
        np.testing.assert_array_equal(tensor.array, array)


@needs_dlpack
def test_sound_and_pictures_are_taken_from_dlpack_exporters() -> None:
    assert received(Audio(Exporter(np.array([0.25, 0.5])), 8000)).samples[:, 0].tolist() == [0.25, 0.5]
    assert received(Image(Exporter(np.full((2, 2, 3), 7, np.uint8)), "rgb24")).pixels.sum() == 84


@needs_dlpack
def test_what_was_imported_is_let_go_of_with_its_last_view() -> None:
    array = np.arange(3.0)
    alive = weakref.ref(array)
    view = Tensor(Exporter(array)).array
    del array
    gc.collect()
    assert alive() is not None and view.tolist() == [0, 1, 2]
    del view
    gc.collect()
    assert alive() is None


def test_memory_of_a_device_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"array is on device CUDA:1, .*\.cpu\(\)"):
        received(Tensor(Exporter(np.zeros(1), device=(2, 1))))


@needs_dlpack
def test_arrays_that_run_backwards_are_refused() -> None:
    with pytest.raises((ValueError, BufferError)):
        received(Tensor(Exporter(np.arange(3.0)[::-1])))


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.mark.parametrize(
    ("message", "array"),
    [
        (Audio(np.zeros((4, 2), np.float32), 8000), "samples"),
        (Image(np.zeros((4, 2, 3), np.uint8), "rgb24"), "pixels"),
        (Tensor(np.zeros((4, 2), np.int16)), "array"),
    ],
)
def test_numpy_sees_the_memory_of_a_message_in_place_and_read_only(message: Message, array: str) -> None:
    arrived = received(message)
    seen = np.asarray(arrived)
    assert address(seen) == address(getattr(arrived, array)) and seen.shape == arrived.shape
    assert not seen.flags.writeable
    del arrived
    gc.collect()
    assert not seen.any()


def test_what_is_converted_for_numpy_lives_as_long_as_it_is_seen() -> None:
    seen = np.asarray(Audio(np.full((100, 1), 0.5), 8000))  # of float64
    gc.collect()
    np.full((100, 1), 9.0, np.float32)  # what would take its place
    assert seen.dtype == np.float32 and (seen == 0.5).all()


@pytest.mark.skipif(VERSION < (2, 1), reason=f"NOT TESTED: numpy {np.__version__} has no read-only DLPack")
def test_a_received_message_is_exported_by_dlpack_read_only() -> None:
    arrived = received(Tensor(np.arange(6, dtype=np.int32).reshape(2, 3)))
    seen = np.from_dlpack(arrived)
    assert seen.tolist() == [[0, 1, 2], [3, 4, 5]] and not seen.flags.writeable
    assert address(seen) == address(arrived.array)
    copy = np.from_dlpack(arrived, copy=True)
    assert copy.flags.writeable and address(copy) != address(arrived.array)


@needs_dlpack
def test_who_cannot_be_told_that_memory_is_read_only_does_not_get_it() -> None:
    arrived = received(Tensor(np.zeros(3)))
    with pytest.raises(BufferError, match=r"read-only.*message\.array\.copy\(\)"):
        arrived.__dlpack__()
    assert arrived.__dlpack_device__() == (1, 0)


@needs_dlpack
def test_a_loan_is_written_to_by_way_of_dlpack() -> None:
    class Loans(penstock.Node):
        def process(self, message: Message) -> Tensor:
            loan = self.loan_tensor((2, 2), "float32")
            np.from_dlpack(loan)[:] = 3
            return loan

    [out] = testing.run(Loans, [Tensor(np.zeros(1))])
    assert out.array.tolist() == [[3, 3], [3, 3]]  # type: ignore[attr-defined]


def test_the_structures_are_those_of_dlpack() -> None:
    assert ctypes.sizeof(_dlpack._Tensor) == 48
    assert _dlpack._Versioned.tensor.offset == 32


def test_torch_tensors_come_and_go() -> None:
    torch = pytest.importorskip("torch", reason="NOT TESTED: torch is not installed")
    arrived = received(Tensor(torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)))
    assert (arrived._view.code, arrived._view.bits, arrived.shape) == (4, 16, (2, 3))
    arrived = received(Tensor(torch.arange(6).reshape(2, 3).T))
    assert arrived.array.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert torch.from_dlpack(Tensor(np.arange(3))).tolist() == [0, 1, 2]
    assert torch.as_tensor(arrived.array.copy()).tolist() == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises((BufferError, RuntimeError), match="grad"):
        received(Tensor(torch.zeros(1, requires_grad=True)))


def test_arrow_arrays_are_taken_in_place() -> None:
    pa = pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow is not installed")
    column = pa.array([1.5, 2.5, 3.5], pa.float32())
    assert not hasattr(column, "__array_interface__") and hasattr(column, "__dlpack__")
    sent = Tensor(column)
    assert address(sent.array) == column.buffers()[1].address
    assert received(sent).array.tolist() == [1.5, 2.5, 3.5]


def test_onnxruntime_takes_a_message() -> None:
    ort = pytest.importorskip("onnxruntime", reason="NOT TESTED: onnxruntime is not installed")
    arrived = received(Tensor(np.arange(3, dtype=np.float32)))
    assert ort.OrtValue.ortvalue_from_numpy(np.asarray(arrived)).numpy().tolist() == [0, 1, 2]


def test_opencv_takes_and_makes_pictures() -> None:
    cv2 = pytest.importorskip("cv2", reason="NOT TESTED: OpenCV is not installed")
    arrived = received(Image(np.full((4, 4, 3), (10, 20, 30), np.uint8), "bgr24"))
    gray = cv2.cvtColor(arrived.pixels, cv2.COLOR_BGR2GRAY)
    assert received(Image(gray, "gray8")).pixels[0, 0, 0] == gray[0, 0]
