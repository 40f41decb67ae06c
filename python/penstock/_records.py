"""`logging` records to the runtime, as JSON lines over a pipe of their own."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Optional

_NAMES = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))


class RecordHandler(logging.Handler):
    """Writes `{"level", "logger", "message", "time_ns"}` and a newline for each record to a descriptor.

    >>> read_end, write_end = os.pipe()
    >>> record = logging.LogRecord("vad", logging.INFO, "vad.py", 1, "%d segments", (3,), None)
    >>> record.created = 2.5
    >>> RecordHandler(write_end).emit(record)
    >>> os.read(read_end, 200)
    b'{"level":"info","logger":"vad","message":"3 segments","time_ns":2500000000}\\n'
    >>> os.close(read_end); os.close(write_end)
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = json.dumps(
                {
                    "level": next((name for level, name in _NAMES if record.levelno >= level), "debug"),
                    "logger": record.name,
                    "message": self._message(record),
                    "time_ns": int(record.created * 1_000_000) * 1000,  # a float has no more digits
                },
                separators=(",", ":"),
            )
            _write_all(self._descriptor, line.encode() + b"\n")
        except Exception:
            self.handleError(record)

    def _message(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            formatter = self.formatter or logging.Formatter()
            text += "\n" + formatter.formatException(record.exc_info)
        if record.stack_info:
            text += "\n" + record.stack_info
        return text


def install(descriptor: int) -> None:
    """Makes the root logger write to `descriptor`, or to stderr if that is not open.

    Its level is INFO, or what PENSTOCK_LOG_LEVEL says.
    """
    handler: Optional[logging.Handler] = None
    try:
        os.fstat(descriptor)
        os.set_inheritable(descriptor, False)
        handler = RecordHandler(descriptor)
    except OSError:
        handler = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(os.environ.get("PENSTOCK_LOG_LEVEL", "INFO").upper())


def _write_all(descriptor: int, data: bytes) -> None:
    # The handler's lock is held, so lines of several threads do not mix.
    while data:
        data = data[os.write(descriptor, data) :]
