"""Messages in this process's own memory, for `penstock.testing` and for outputs that nothing is connected to."""

from __future__ import annotations

from typing import Any, Optional, Protocol

from penstock import _dtypes

Shape = tuple[int, ...]


class View(Protocol):
    """A received message: `penstock._core.MessageView`, or a LocalView."""

    kind: int
    rate: int
    pixel_format: int
    code: int
    bits: int
    shape: Shape
    nbytes: int
    sequence: int
    attempt: int
    trace_id: str
    redelivered: bool
    time: Optional[int]
    metadata: Optional[bytes]
    memory: memoryview


class Loan(Protocol):
    """Memory for a message to be: `penstock._core.Loan`, or a LocalLoan."""

    @property
    def memory(self) -> memoryview: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def spent(self) -> bool: ...


def shaped(data: Any, code: int, bits: int, shape: Optional[Shape]) -> memoryview:
    """`data` as a memoryview of that type and shape; flat where memoryview cannot (no elements, no such format)."""
    flat = memoryview(data).cast("B")
    format = _dtypes.to_format((code, bits))
    if shape is None or format is None or 0 in shape:
        return flat
    try:
        return flat.cast(format, list(shape)) if shape else flat.cast(format)  # type: ignore[call-overload, no-any-return]
    except ValueError:  # float16 before Python 3.12
        return flat


class LocalView:
    """A message as its receiver sees it: a private, read-only copy of the payload."""

    def __init__(
        self,
        source: Any,
        kind: int,
        code: int,
        bits: int,
        shape: Optional[Shape],
        rate: int,
        time: Optional[int],
        metadata: Optional[bytes],
    ) -> None:
        if isinstance(source, str):
            source = source.encode()
        elif isinstance(source, LocalLoan):
            source = source.take()
        elif hasattr(source, "memory"):
            source = source.memory
        payload = bytes(source)
        self.kind, self.code, self.bits, self.shape, self.rate = kind, code, bits, shape or (), rate
        self.pixel_format = rate  # of Image, which has no rate
        self.time, self.metadata = time, metadata
        self.nbytes = len(payload)
        self.sequence = 0
        self.attempt = 0
        self.trace_id = "0" * 32
        self.redelivered = False
        self.memory = shaped(payload, code, bits, shape)


class LocalLoan:
    """Writable memory that can be emitted once."""

    def __init__(self, nbytes: int, code: int, bits: int, shape: Optional[Shape]) -> None:
        self._data = bytearray(nbytes)
        self._memory = shaped(self._data, code, bits, shape)
        self.shape = shape if shape is not None else (nbytes,)
        self.spent = False

    @property
    def memory(self) -> memoryview:
        if self.spent:
            raise ValueError(
                "this loaned buffer was emitted already: its memory belongs to the receivers now. "
                "Loan a new one for each message"
            )
        return self._memory

    def take(self) -> memoryview:
        memory = self.memory
        self.spent = True
        return memory
