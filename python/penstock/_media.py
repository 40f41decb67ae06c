"""Messages that are arrays: sound, pictures, tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from penstock import _arrays, _dtypes
from penstock._local import Shape, View
from penstock._message import KIND_AUDIO, KIND_IMAGE, KIND_TENSOR, Borrow, Encoded, Message

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_M = TypeVar("_M", bound=Message)


class ArrayMessage(Message):
    """What Audio, Image and Tensor have in common: other libraries see their elements without a copy.

    `numpy.asarray(message)`, and everything else that knows numpy's array interface or DLPack (`torch.from_dlpack`,
    `jax.dlpack.from_dlpack`), reads the memory of the message. A received message is read-only: a library that cannot
    be told so by DLPack gets a BufferError; give it `message.array.copy()`, or ask for `copy=True`.
    """

    __slots__ = ("_array", "_shown")

    @property
    def __array_interface__(self) -> dict[str, Any]:
        self._shown = array = self._as_array()  # the caller has an address, and this message
        return array.__array_interface__  # type: ignore[no-any-return]

    def __dlpack__(self, **options: Any) -> Any:
        """DLPack 1.1, by numpy 2.1 or later; older ones know fewer options."""
        return _arrays.to_dlpack(self._as_array(), options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (_dtypes.CPU, 0)

    def _as_array(self) -> Any:
        """As a numpy array."""
        raise TypeError(f"{type(self).__name__} is not a message type of its own")


class Audio(ArrayMessage):
    """Sound: float32 samples of shape (frames, channels), C order, −1…1, at `rate` samples a second.

    `samples` may be whatever a Tensor takes; one dimension means mono. float64 and float16 are converted.

    >>> import array
    >>> tone = Audio(array.array("f", [0.0] * 320), rate=16000, time=0)
    >>> tone
    Audio(320 frames, 1 channel, 16000 Hz, time=0)
    >>> tone.duration
    20000000
    """

    __slots__ = ("_rate",)
    kind = KIND_AUDIO

    def __init__(
        self, samples: Any, rate: int, time: Optional[int] = None, metadata: Optional[Mapping[str, Any]] = None
    ) -> None:
        super().__init__(time, metadata)
        self._array: Any = samples
        self._rate = _arrays.as_int(rate, "rate")
        if not 0 < self._rate < 2**32:
            raise ValueError(f"rate is {rate}; it must be a positive number of samples a second")

    @classmethod
    def _received(cls: type[_M], view: View) -> _M:
        if view.code != _dtypes.FLOAT or view.bits != 32:
            raise TypeError(
                f"an Audio message carries elements of DLPack type {view.code}/{view.bits} bits instead of float32"
            )
        self = cls.__new__(cls)
        self._view = view
        self._loan = None
        self._array = None  # type: ignore[attr-defined]
        return self

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self._rate if self._view is None else self._view.rate

    @property
    def samples(self) -> npt.NDArray[np.float32]:
        """A numpy array, float32, (frames, channels); shared memory for received (read-only) and loaned messages."""
        if self._view is None and self._loan is None:
            return _arrays.float_samples(self._array)  # type: ignore[no-any-return, unused-ignore]
        if self._array is None:
            self._array = _arrays.array_of(self._view or self._loan, (_dtypes.FLOAT, 32))
        return self._array  # type: ignore[no-any-return, unused-ignore]

    def _as_array(self) -> Any:
        return self.samples

    @property
    def shape(self) -> tuple[int, int]:
        """(frames, channels)"""
        holder = self._view if self._view is not None else self._loan
        shape = _arrays.samples_shape(_arrays.shape_of(self._array)) if holder is None else holder.shape
        return (shape[0], shape[1])

    @property
    def duration(self) -> int:
        """Nanoseconds."""
        return self.shape[0] * 1_000_000_000 // self.rate

    def _encode(self, borrow: Borrow) -> Encoded:
        if self._view is not None:
            return self._view, _dtypes.FLOAT, 32, self._view.shape, self._view.rate
        if self._loan is not None:
            _arrays.seal(self._array)
            return self._loan, _dtypes.FLOAT, 32, self._loan.shape, self._rate
        view = _arrays.try_memoryview(self._array)
        if view is not None and view.c_contiguous and _dtypes.of_format(view.format) == (_dtypes.FLOAT, 32):
            return view, _dtypes.FLOAT, 32, _arrays.samples_shape(view.shape or ()), self._rate
        array = _arrays.as_array(self._array, "samples")
        shape = _arrays.samples_shape(array.shape)
        _arrays.check_samples_type(array.dtype)
        loan = borrow(array.size * 4, _dtypes.FLOAT, 32, shape, self._rate)
        _arrays.copy_into(loan, array, (_dtypes.FLOAT, 32), shape)
        return loan, _dtypes.FLOAT, 32, shape, self._rate

    def _summary(self) -> str:
        frames, channels = self.shape
        counted = (f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in ((frames, "frame"), (channels, "channel")))
        return f"{', '.join(counted)}, {self.rate} Hz"


_FORMATS = {"rgb24": 1, "bgr24": 2, "gray8": 3, "nv12": 4, "rgba32": 5}  # message::PixelFormat
_FORMAT_NAMES = {number: name for name, number in _FORMATS.items()}
_CHANNELS = {"rgb24": 3, "bgr24": 3, "gray8": 1, "nv12": 1, "rgba32": 4}


class Image(ArrayMessage):
    """A picture: uint8 pixels of shape (height, width, channels), C order, in a `format`.

    | format | channels |
    |---|---|
    | `rgb24`, `bgr24` (OpenCV's order) | 3 |
    | `gray8` | 1 |
    | `rgba32` | 4 |
    | `nv12` | 1; below the rows of brightness come half as many of colour, so there are `height * 3 // 2` rows |

    `pixels` may be whatever a Tensor takes; one channel may be left out of its shape.

    >>> picture = Image(memoryview(bytes(24)).cast("B", [2, 4, 3]), "rgb24", time=0)
    >>> picture
    Image(4×2, rgb24, time=0)
    >>> picture.shape
    (2, 4, 3)
    """

    __slots__ = ("_format",)
    kind = KIND_IMAGE

    def __init__(
        self, pixels: Any, format: str, time: Optional[int] = None, metadata: Optional[Mapping[str, Any]] = None
    ) -> None:
        super().__init__(time, metadata)
        self._array: Any = pixels
        self._format = checked_format(format)

    @classmethod
    def _received(cls: type[_M], view: View) -> _M:
        if (view.code, view.bits) != (_dtypes.UINT, 8) or view.pixel_format not in _FORMAT_NAMES:
            raise TypeError(
                f"an Image message carries elements of DLPack type {view.code}/{view.bits} bits in pixel format "
                f"{view.pixel_format}, instead of uint8 in one of the formats 1 to {len(_FORMATS)}"
            )
        self = cls.__new__(cls)
        self._view = view
        self._loan = None
        self._array = None  # type: ignore[attr-defined]
        return self

    @property
    def format(self) -> str:
        """rgb24, bgr24, gray8, nv12 or rgba32."""
        return self._format if self._view is None else _FORMAT_NAMES[self._view.pixel_format]

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """A numpy array, uint8, (height, width, channels); shared memory of received (read-only) and loaned ones."""
        if self._view is None and self._loan is None:
            pixels: npt.NDArray[np.uint8] = _arrays.pixels_of(self._array, self._format, _CHANNELS[self._format])
            return pixels
        if self._array is None:
            self._array = _arrays.array_of(self._view or self._loan, (_dtypes.UINT, 8))
        return self._array  # type: ignore[no-any-return, unused-ignore]

    def _as_array(self) -> Any:
        return self.pixels

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of `pixels`."""
        holder = self._view if self._view is not None else self._loan
        if holder is None:
            return _arrays.pixels_shape(_arrays.shape_of(self._array), self._format, _CHANNELS[self._format])
        return (holder.shape[0], holder.shape[1], holder.shape[2])

    @property
    def width(self) -> int:
        """Of the picture, in pixels."""
        return self.shape[1]

    @property
    def height(self) -> int:
        """Of the picture, in pixels: of `nv12`, without the rows of colour."""
        rows = self.shape[0]
        return rows * 2 // 3 if self.format == "nv12" else rows

    def _encode(self, borrow: Borrow) -> Encoded:
        number = _FORMATS[self.format]
        if self._view is not None:
            return self._view, _dtypes.UINT, 8, self._view.shape, number
        if self._loan is not None:
            _arrays.seal(self._array)
            return self._loan, _dtypes.UINT, 8, self._loan.shape, number
        channels = _CHANNELS[self._format]
        view = _arrays.try_memoryview(self._array)
        if view is not None and view.c_contiguous and _dtypes.of_format(view.format) == (_dtypes.UINT, 8):
            return view, _dtypes.UINT, 8, _arrays.pixels_shape(view.shape or (), self._format, channels), number
        array = _arrays.pixels_of(self._array, self._format, channels)
        loan = borrow(array.size, _dtypes.UINT, 8, array.shape, number)
        _arrays.copy_into(loan, array, (_dtypes.UINT, 8), array.shape)
        return loan, _dtypes.UINT, 8, array.shape, number

    def _summary(self) -> str:
        return f"{self.width}×{self.height}, {self.format}"


def checked_format(format: str) -> str:
    """ValueError unless it is a pixel format."""
    if format not in _FORMATS:
        raise ValueError(f"there is no pixel format {format!r}; there are {', '.join(_FORMATS)}")
    return format


def image_loan(height: int, width: int, format: str) -> tuple[Shape, int]:
    """Shape of the pixels, and number of the format, of a picture."""
    rows = height * 3 // 2 if checked_format(format) == "nv12" else height
    return _arrays.pixels_shape((rows, width, _CHANNELS[format]), format, _CHANNELS[format]), _FORMATS[format]


class Tensor(ArrayMessage):
    """An array of any DLPack element type with at most 8 dimensions, in C order.

    `array` may be a numpy array, or anything with a buffer, numpy's array interface or DLPack (of torch, JAX, CuPy and
    others) that is in the memory of the host. What is not in C order is copied so; nothing else is converted.

    >>> t = Tensor(memoryview(bytes(6)).cast("B", [2, 3]))
    >>> t.shape
    (2, 3)
    """

    __slots__ = ("_dtype",)
    kind = KIND_TENSOR

    def __init__(self, array: Any, time: Optional[int] = None, metadata: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(time, metadata)
        self._array: Any = array
        self._dtype: Optional[_dtypes.DType] = None

    @classmethod
    def _received(cls: type[_M], view: View) -> _M:
        self = cls.__new__(cls)
        self._view = view
        self._loan = None
        self._array = None  # type: ignore[attr-defined]
        self._dtype = None  # type: ignore[attr-defined]
        return self

    @property
    def array(self) -> npt.NDArray[Any]:
        """A numpy array; shared memory for received (read-only) and loaned messages."""
        if self._view is None and self._loan is None:
            return _arrays.as_array(self._array, "array")  # type: ignore[no-any-return, unused-ignore]
        if self._array is None:
            self._array = _arrays.array_of(self._view or self._loan, self._element_type())
        return self._array  # type: ignore[no-any-return, unused-ignore]

    def _as_array(self) -> Any:
        return self.array

    @property
    def shape(self) -> Shape:
        """The extents."""
        holder = self._view if self._view is not None else self._loan
        return _arrays.shape_of(self._array) if holder is None else holder.shape

    def _element_type(self) -> _dtypes.DType:
        if self._view is not None:
            return (self._view.code, self._view.bits)
        assert self._dtype is not None  # set with the loan
        return self._dtype

    def _encode(self, borrow: Borrow) -> Encoded:
        if self._view is not None or self._loan is not None:
            code, bits = self._element_type()
            holder = self._view if self._view is not None else self._loan
            assert holder is not None
            if self._loan is not None:
                _arrays.seal(self._array)
            return holder, code, bits, holder.shape, 0
        view = _arrays.try_memoryview(self._array)
        dtype = None if view is None else _dtypes.of_format(view.format)
        if view is not None and dtype is not None and view.c_contiguous:
            return view, dtype[0], dtype[1], _arrays.checked_shape(view.shape or ()), 0
        if view is None and _arrays.is_dlpack_only(self._array):
            other = _arrays.by_dlpack(self._array, "array")
            if other.is_compact:
                return other.memory, other.dtype[0], other.dtype[1], other.shape, 0
        array = _arrays.as_array(self._array, "array")
        dtype = _dtypes.of_numpy(array.dtype)
        shape = _arrays.checked_shape(array.shape)
        loan = borrow(array.size * dtype[1] // 8, dtype[0], dtype[1], shape, 0)
        _arrays.copy_into(loan, array, dtype, shape)
        return loan, dtype[0], dtype[1], shape, 0

    def _summary(self) -> str:
        return "×".join(str(extent) for extent in self.shape) or "scalar"
