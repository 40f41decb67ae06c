"""What all messages have in common, and those that are no arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable, ClassVar, Optional, TypeVar, Union

from penstock import _arrays
from penstock._json import to_json
from penstock._local import Loan, Shape, View

# What a port needs for publishing: source (loan, buffer, str), DLPack code and bits, shape, and the rate of Audio or
# the number of an Image's format.
Encoded = tuple[Any, int, int, Optional[Shape], int]
# Borrows shared memory for the message being encoded: (nbytes, code, bits, shape, rate or format).
Borrow = Callable[[int, int, int, Optional[Shape], int], Loan]

KIND_BYTES, KIND_AUDIO, KIND_IMAGE, KIND_TENSOR, KIND_TEXT, KIND_JSON = 0, 1, 2, 3, 4, 5
KIND_NAMES = ("Bytes", "Audio", "Image", "Tensor", "Text", "Json", "Control")

_M = TypeVar("_M", bound="Message")


class Message:
    """What all messages have: a media time and metadata. Use one of the subclasses.

    A message is one of three things. *Received*: a read-only view into the producer's shared memory. *Made* from the
    node's own data: copied once, into shared memory, when it is emitted. *Loaned* (`Node.loan_audio` and the like): its
    array is shared memory already, and emitting copies nothing.

    The memory of a received message goes back to its producer when the message and all that shows its memory (arrays,
    memoryviews, what other libraries made of them) are gone. A node may keep as many messages of a connection beyond
    their handlers as the `max_held` of that connection says (4); one that keeps more fails, with the connection's name,
    when the next message comes. So nothing ever shows memory that is in use for something else, also after the end of
    the stream; what is to be kept for long is copied (`message.array.copy()`, `bytes(message.data)`).
    """

    __slots__ = ("__weakref__", "_loan", "_metadata", "_time", "_view")
    kind: ClassVar[int] = -1

    def __init__(self, time: Optional[int], metadata: Optional[Mapping[str, Any]]) -> None:
        if time is not None and type(time) is not int:
            time = _arrays.as_int(time, "time")
        self._view: Optional[View] = None
        self._loan: Optional[Loan] = None
        self._time = time
        self._metadata = metadata

    @classmethod
    def _received(cls: type[_M], view: View) -> _M:
        self = cls.__new__(cls)
        self._view = view
        self._loan = None
        return self

    @property
    def time(self) -> int:
        """Media time: nanoseconds since the stream's start; 0 when neither this message nor any before it has one.

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
        """W3C trace id of a received message, 32 hexadecimal digits; None for one made here, which gets its input's."""
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
            source = _arrays.try_memoryview(self._data)
            if source is None:
                raise TypeError(f"Bytes takes something with a buffer, not {type(self._data).__name__}")
            if not source.c_contiguous:
                source = source.tobytes()
        return source, 0, 0, None, 0

    def _summary(self) -> str:
        return f"{len(self.data)} byte{'' if len(self.data) == 1 else 's'}"


def _no_borrow(nbytes: int, code: int, bits: int, shape: Optional[Shape], rate: int) -> Loan:
    raise TypeError("this array needs a conversion before it has a buffer of its message's type")
