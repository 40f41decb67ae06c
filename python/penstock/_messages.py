"""The message types: what a handler receives, and what it makes.

A message is one of three things. *Received*: a read-only view into the producer's shared memory. *Made* from the node's own
data: copied once, into shared memory, when it is emitted. *Loaned* (`Node.loan_audio` and the like): its array is shared memory
already, and emitting copies nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Dict, List, Mapping, Optional, Tuple, TypeVar, Union

from penstock import _dtypes
from penstock._local import Loan, Shape, View

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


# What a port needs for publishing: source (loan, buffer, str), DLPack code and bits, shape, rate.
Encoded = Tuple[Any, int, int, Optional[Shape], int]
# Borrows shared memory for the message being encoded: (nbytes, code, bits, shape, rate).
Borrow = Callable[[int, int, int, Optional[Shape], int], Loan]

KIND_BYTES, KIND_AUDIO, KIND_IMAGE, KIND_TENSOR, KIND_TEXT, KIND_JSON = 0, 1, 2, 3, 4, 5
KIND_NAMES = ("Bytes", "Audio", "Image", "Tensor", "Text", "Json", "Control")

_M = TypeVar("_M", bound="Message")
_MAX_CHANNELS = 256


class Message:
    """What all messages have: a media time and metadata. Use one of the subclasses."""

    __slots__ = ("__weakref__", "_loan", "_metadata", "_time", "_view")
    kind: ClassVar[int] = -1

    def __init__(self, time: Optional[int], metadata: Optional[Mapping[str, Any]]) -> None:
        if time is not None and type(time) is not int:
            time = _as_int(time, "time")
        self._view: Optional[View] = None
        self._loan: Optional[Loan] = None
        self._time = time
        self._metadata = metadata

    @classmethod
    def _received(cls: "type[_M]", view: View) -> _M:
        self = cls.__new__(cls)
        self._view = view
        self._loan = None
        return self

    @property
    def time(self) -> int:
        """Media time: nanoseconds since the stream's start. 0 when neither this message nor any before it was given one.

        >>> Text("hello", time=1_500_000_000).time
        1500000000
        """
        time = self._own_time
        return 0 if time is None else time

    @property
    def has_time(self) -> bool:
        """Whether a media time was given. A message made without one gets that of the message being handled."""
        return self._own_time is not None

    @property
    def _own_time(self) -> Optional[int]:
        return self._time if self._view is None else self._view.time

    @property
    def metadata(self) -> Mapping[str, Any]:
        """JSON values that travel with the message; empty when there are none.

        >>> Text("hello", metadata={"language": "en"}).metadata["language"]
        'en'
        """
        if self._view is None:
            return self._metadata or {}
        raw = self._view.metadata
        value = json.loads(raw) if raw else {}
        return value if isinstance(value, dict) else {}

    @property
    def _metadata_bytes(self) -> Optional[bytes]:
        if self._view is not None:
            return self._view.metadata
        return to_json(dict(self._metadata), "metadata") if self._metadata else None

    @property
    def trace_id(self) -> Optional[str]:
        """W3C trace id of a received message, 32 hexadecimal digits; None for one made here (it gets that of its input)."""
        return None if self._view is None else self._view.trace_id

    @property
    def sequence(self) -> Optional[int]:
        """Number of a received message on its producer's output, from 0; None for one made here."""
        return None if self._view is None else self._view.sequence

    @property
    def redelivered(self) -> bool:
        """Whether a received message was delivered before, to an earlier incarnation of this node."""
        return False if self._view is None else self._view.redelivered

    @property
    def buffer(self) -> memoryview:
        """The payload as a memoryview, with element type and shape, without a copy and without numpy.

        Read-only for received messages, writable for loaned ones.
        """
        if self._view is not None:
            return self._view.memory
        if self._loan is not None:
            return self._loan.memory
        source = self._encode(_no_borrow)[0]
        return memoryview(source.encode() if isinstance(source, str) else source)

    def _encode(self, borrow: Borrow) -> Encoded:
        """Payload and description, ready to be published. TypeError or ValueError when the content cannot be sent."""
        raise TypeError(f"{type(self).__name__} is not a message type of its own")

    def __repr__(self) -> str:
        time = f", time={self.time}" if self.has_time else ""
        return f"{type(self).__name__}({self._summary()}{time})"

    def _summary(self) -> str:
        return ""


class Audio(Message):
    """Sound: float32 samples of shape (frames, channels), C order, −1…1, at `rate` samples a second.

    `samples` may be anything with a buffer or a numpy array; one dimension means mono. float64 and float16 are converted.

    >>> import array
    >>> tone = Audio(array.array("f", [0.0] * 320), rate=16000, time=0)
    >>> tone
    Audio(320 frames, 1 channel, 16000 Hz, time=0)
    >>> tone.duration
    20000000
    """

    __slots__ = ("_array", "_rate")
    kind = KIND_AUDIO

    def __init__(
        self, samples: Any, rate: int, time: Optional[int] = None, metadata: Optional[Mapping[str, Any]] = None
    ) -> None:
        super().__init__(time, metadata)
        self._array: Any = samples
        self._rate = _as_int(rate, "rate")
        if not 0 < self._rate < 2**32:
            raise ValueError(f"rate is {rate}; it must be a positive number of samples a second")

    @classmethod
    def _received(cls: "type[_M]", view: View) -> _M:
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
    def samples(self) -> "npt.NDArray[np.float32]":
        """A numpy array, float32, (frames, channels); shared memory for received (read-only) and loaned messages."""
        if self._view is None and self._loan is None:
            return _float_samples(self._array)
        if self._array is None:
            self._array = _array_of(self._view or self._loan, (_dtypes.FLOAT, 32))
        return self._array

    @property
    def shape(self) -> Tuple[int, int]:
        """(frames, channels)"""
        holder = self._view if self._view is not None else self._loan
        shape = _samples_shape(_shape_of(self._array)) if holder is None else holder.shape
        return (shape[0], shape[1])

    @property
    def duration(self) -> int:
        """Nanoseconds."""
        return self.shape[0] * 1_000_000_000 // self.rate

    def _encode(self, borrow: Borrow) -> Encoded:
        if self._view is not None:
            return self._view, _dtypes.FLOAT, 32, self._view.shape, self._view.rate
        if self._loan is not None:
            _seal(self._array)
            return self._loan, _dtypes.FLOAT, 32, self._loan.shape, self._rate
        view = _memoryview(self._array)
        if view is not None and view.c_contiguous and _dtypes.of_format(view.format) == (_dtypes.FLOAT, 32):
            return view, _dtypes.FLOAT, 32, _samples_shape(view.shape or ()), self._rate
        array = _any_array(self._array, "samples")
        shape = _samples_shape(array.shape)
        _check_samples_type(array.dtype)
        loan = borrow(array.size * 4, _dtypes.FLOAT, 32, shape, self._rate)
        _copy_into(loan, array, (_dtypes.FLOAT, 32), shape)
        return loan, _dtypes.FLOAT, 32, shape, self._rate

    def _summary(self) -> str:
        frames, channels = self.shape
        return f"{frames} frames, {channels} channel{'' if channels == 1 else 's'}, {self.rate} Hz"


class Tensor(Message):
    """An array of any DLPack element type with at most 8 dimensions, in C order.

    >>> t = Tensor(memoryview(bytes(6)).cast("B", [2, 3]))
    >>> t.shape
    (2, 3)
    """

    __slots__ = ("_array", "_dtype")
    kind = KIND_TENSOR

    def __init__(self, array: Any, time: Optional[int] = None, metadata: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(time, metadata)
        self._array: Any = array
        self._dtype: Optional[_dtypes.DType] = None

    @classmethod
    def _received(cls: "type[_M]", view: View) -> _M:
        self = cls.__new__(cls)
        self._view = view
        self._loan = None
        self._array = None  # type: ignore[attr-defined]
        self._dtype = None  # type: ignore[attr-defined]
        return self

    @property
    def array(self) -> "npt.NDArray[Any]":
        """A numpy array; shared memory for received (read-only) and loaned messages."""
        if self._view is None and self._loan is None:
            return _any_array(self._array, "array")
        if self._array is None:
            self._array = _array_of(self._view or self._loan, self._element_type())
        return self._array

    @property
    def shape(self) -> Shape:
        """The extents."""
        holder = self._view if self._view is not None else self._loan
        return _shape_of(self._array) if holder is None else holder.shape

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
                _seal(self._array)
            return holder, code, bits, holder.shape, 0
        view = _memoryview(self._array)
        dtype = None if view is None else _dtypes.of_format(view.format)
        if view is not None and dtype is not None and view.c_contiguous:
            return view, dtype[0], dtype[1], _checked_shape(view.shape or ()), 0
        array = _any_array(self._array, "array")
        dtype = _dtypes.of_numpy(array.dtype)
        shape = _checked_shape(array.shape)
        loan = borrow(array.size * dtype[1] // 8, dtype[0], dtype[1], shape, 0)
        _copy_into(loan, array, dtype, shape)
        return loan, dtype[0], dtype[1], shape, 0

    def _summary(self) -> str:
        return "×".join(str(extent) for extent in self.shape) or "scalar"


class Text(Message):
    """A string.

    >>> Text("all circuits are busy now").text
    'all circuits are busy now'
    """

    __slots__ = ("_text",)
    kind = KIND_TEXT

    def __init__(self, text: str, time: Optional[int] = None, metadata: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(time, metadata)
        if not isinstance(text, str):
            raise TypeError(f"Text takes a str, not {type(text).__name__}")
        self._text: Optional[str] = text

    @property
    def text(self) -> str:
        """The string. ValueError when a received payload is not UTF-8."""
        if self._view is not None:
            return str(self._view.memory, "utf-8")
        assert self._text is not None
        return self._text

    def _encode(self, borrow: Borrow) -> Encoded:
        return self._view if self._view is not None else self._text, 0, 0, None, 0

    def _summary(self) -> str:
        return repr(self.text)


class Json(Message):
    """Any JSON value. numpy scalars become numbers; NaN and infinity are refused, as JSON has none.

    >>> Json({"pitch": 175}).value
    {'pitch': 175}
    """

    __slots__ = ("_value",)
    kind = KIND_JSON

    def __init__(self, value: Any, time: Optional[int] = None, metadata: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(time, metadata)
        self._value = value

    @property
    def value(self) -> Any:
        """The value; decoded anew from a received message at each call, so it is the caller's own."""
        return self._value if self._view is None else json.loads(bytes(self._view.memory))

    def _encode(self, borrow: Borrow) -> Encoded:
        return self._view if self._view is not None else to_json(self._value, "value"), 0, 0, None, 0

    def _summary(self) -> str:
        return repr(self.value)


class Bytes(Message):
    """Bytes that Penstock does not look into: bytes, bytearray, memoryview or anything else with a contiguous buffer.

    >>> bytes(Bytes(b"abc").data)
    b'abc'
    """

    __slots__ = ("_data",)
    kind = KIND_BYTES

    def __init__(
        self,
        data: Union[bytes, bytearray, memoryview, Any],
        time: Optional[int] = None,
        metadata: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(time, metadata)
        if isinstance(data, str):
            raise TypeError("Bytes takes bytes, not str: encode it, or send a Text")
        self._data: Any = data

    @property
    def data(self) -> memoryview:
        """Flat bytes; shared memory for received (read-only) and loaned messages."""
        holder = self._view if self._view is not None else self._loan
        return (memoryview(self._data) if holder is None else holder.memory).cast("B")

    def _encode(self, borrow: Borrow) -> Encoded:
        source: Any = self._view or self._loan
        if source is None:
            source = _memoryview(self._data)
            if source is None:
                raise TypeError(f"Bytes takes something with a buffer, not {type(self._data).__name__}")
            if not source.c_contiguous:
                source = source.tobytes()
        return source, 0, 0, None, 0

    def _summary(self) -> str:
        return f"{len(self.data)} bytes"


BY_KIND: Dict[int, "type[Message]"] = {cls.kind: cls for cls in (Audio, Tensor, Text, Json, Bytes)}


def to_json(value: Any, what: str) -> bytes:
    """Compact UTF-8. TypeError or ValueError that says what cannot be written."""
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_json_default
        ).encode()
    except ValueError as error:
        raise ValueError(f"{what} cannot be written as JSON: {error}") from error


def _json_default(value: Any) -> Any:
    np = _dtypes.numpy_if_imported()
    if np is not None and isinstance(value, np.generic):
        return value.item()
    if np is not None and isinstance(value, np.ndarray):
        raise TypeError("a numpy array cannot be written as JSON: send a Tensor, or call .tolist()")
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as JSON")


def _no_borrow(nbytes: int, code: int, bits: int, shape: Optional[Shape], rate: int) -> Loan:
    raise TypeError("this array needs a conversion before it has a buffer of its message's type")


def _as_int(value: Any, what: str) -> int:
    try:
        return int(value.__index__())  # numpy integers too, floats not
    except AttributeError:
        raise TypeError(f"{what} must be an int, not {type(value).__name__}") from None


def _memoryview(source: Any) -> Optional[memoryview]:
    try:
        return memoryview(source)
    except (TypeError, ValueError, BufferError):
        return None


def _any_array(source: Any, what: str) -> Any:
    if isinstance(source, (str, bytes, list, tuple, dict)) or source is None:
        raise TypeError(f"{what} must be an array or have a buffer, not {type(source).__name__}")
    return _dtypes.numpy().asarray(source)


def _shape_of(source: Any) -> Shape:
    shape = getattr(source, "shape", None)
    if shape is None:
        view = _memoryview(source)
        shape = (view.shape or ()) if view is not None else _any_array(source, "array").shape
    return tuple(int(extent) for extent in shape)


def _samples_shape(shape: Shape) -> Shape:
    if len(shape) == 1:
        return (shape[0], 1)
    if len(shape) != 2:
        raise ValueError(f"samples have shape {shape}; Audio takes (frames, channels), or (frames,) for mono")
    if shape[1] > _MAX_CHANNELS:
        raise ValueError(
            f"samples of shape {shape} would have {shape[1]} channels; Audio takes (frames, channels): transpose them"
        )
    return shape


def _checked_shape(shape: Shape) -> Shape:
    if len(shape) > 8:
        raise ValueError(f"a tensor has at most 8 dimensions, this one has {len(shape)}")
    return shape


def _check_samples_type(dtype: Any) -> None:
    if dtype.kind != "f":
        remedy = f"divide by {2 ** (8 * dtype.itemsize - 1)}" if dtype.kind == "i" else "convert them"
        raise TypeError(f"samples are {dtype}; Audio takes float32 in −1…1: {remedy} first")


def _float_samples(source: Any) -> Any:
    array = _any_array(source, "samples")
    _check_samples_type(array.dtype)
    return _dtypes.numpy().ascontiguousarray(array, dtype="float32").reshape(_samples_shape(array.shape))


def _array_of(holder: Any, dtype: _dtypes.DType) -> Any:
    np = _dtypes.numpy()
    memory = holder.memory
    if memory.nbytes == 0:
        return np.empty(holder.shape, _dtypes.to_numpy(dtype))
    if memory.format == "B" and dtype != (_dtypes.UINT, 8):
        return np.frombuffer(memory, dtype=_dtypes.to_numpy(dtype)).reshape(holder.shape)
    array = np.asarray(memory)
    return array if array.shape == holder.shape else array.reshape(holder.shape)


def _copy_into(loan: Loan, array: Any, dtype: _dtypes.DType, shape: Shape) -> None:
    np = _dtypes.numpy()
    if array.size == 0:
        return
    target = np.frombuffer(loan.memory, dtype="u1")
    np.copyto(target.view(_dtypes.to_numpy(dtype)).reshape(shape), array.reshape(shape), casting="same_kind")


def _seal(array: Any) -> None:
    # What was emitted is the receivers': a write through the same array afterwards is an error rather than a torn message.
    if array is not None:
        array.flags.writeable = False


__all__: List[str] = ["BY_KIND", "Audio", "Bytes", "Json", "Message", "Tensor", "Text"]
