"""`logging` records to the runtime, as JSON lines over a pipe of their own that never holds up the node."""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import threading
import time
import weakref
from typing import Any, Optional

_NAMES = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))
_MAX_CHARACTERS = 1024 * 1024  # of a message; the runtime reads lines of 8 MiB
FLUSH_TIMEOUT_S = 2.0  # a runtime that lives reads within milliseconds
_handlers: weakref.WeakSet[RecordHandler] = weakref.WeakSet()


class RecordHandler(logging.Handler):
    """Writes `{"level", "logger", "message", "time_ns"}` and a newline for each record to a descriptor.

    The descriptor is a pipe that does not wait. A record that finds no room is dropped; how many were is said in a
    record of its own (`"dropped"`) as soon as there is room. A record that fits in part is finished by a thread, which
    lives until then.

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
        self._rest = b""  # of a record that is written in part
        self._dropped = 0
        self._finishing: Optional[threading.Thread] = None
        os.set_blocking(descriptor, False)
        _handlers.add(self)

    def emit(self, record: logging.LogRecord) -> None:
        # The handler's lock is held, so lines of several threads do not mix.
        if self._descriptor < 0:
            return
        try:
            line = _line(record.levelno, record.name, self._message(record), int(record.created * 1_000_000) * 1000)
            self._write_rest()
            if self._rest:
                self._dropped += 1
                return
            self._rest = line
            self._write_rest()
            if self._rest:
                self._finish_later()
        except BrokenPipeError:
            self._rest = b""  # the runtime is gone, and this worker, or its session, about to be
        except Exception:
            self.handleError(record)

    def drain(self, timeout_s: float) -> None:
        """Writes what is left, for at most so long: the last thing that a worker does."""
        deadline = time.monotonic() + timeout_s
        self.acquire()
        try:
            self._write_rest()
            while self._rest and _await_room(self._descriptor, max(deadline - time.monotonic(), 0)):
                self._write_rest()
        except OSError:
            pass  # the runtime is gone
        finally:
            self.release()

    def flush(self) -> None:
        """As drain: `logging.shutdown`, which runs at a worker's end, flushes before it closes."""
        if self._descriptor >= 0:
            self.drain(FLUSH_TIMEOUT_S)

    def close(self) -> None:
        """Closes the descriptor; what was not written is lost."""
        super().close()
        self.acquire()
        try:
            self._rest, self._dropped = b"", 0  # for the thread that waits to write it
            descriptor, self._descriptor = self._descriptor, -1
        finally:
            self.release()
        if descriptor >= 0:
            os.close(descriptor)

    def _message(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            formatter = self.formatter or logging.Formatter()
            text += "\n" + formatter.formatException(record.exc_info)
        if record.stack_info:
            text += "\n" + record.stack_info
        if len(text) > _MAX_CHARACTERS:
            text = f"{text[:_MAX_CHARACTERS]}… {len(text) - _MAX_CHARACTERS} characters left out"
        return text

    def _write_rest(self) -> None:
        """Writes as much as there is room for. When all is written, says how many records were dropped."""
        while True:
            while self._rest:
                try:
                    self._rest = self._rest[os.write(self._descriptor, self._rest) :]
                except BlockingIOError:
                    return
            if not self._dropped:
                return
            dropped, self._dropped = self._dropped, 0
            text = f"{dropped} log record{'' if dropped == 1 else 's'} dropped: the runtime did not read fast enough"
            self._rest = _line(logging.WARNING, "penstock", text, time.time_ns(), dropped=dropped)

    def _finish_later(self) -> None:
        if self._finishing is None:
            self._finishing = threading.Thread(target=self._finish, name="penstock-records", daemon=True)
            self._finishing.start()

    def _finish(self) -> None:
        try:
            while _await_room(self._descriptor, None) and not self._finish_now():
                pass
        except OSError:
            pass  # the runtime is gone

    def _finish_now(self) -> bool:
        self.acquire()
        try:
            self._write_rest()
            if not self._rest:
                self._finishing = None
            return not self._rest
        finally:
            self.release()

    def _forget(self) -> None:
        # A child of the node has a copy of what its parent is about to write.
        self._rest, self._dropped, self._finishing = b"", 0, None


def _forget_in_child() -> None:
    for handler in list(_handlers):
        handler._forget()


os.register_at_fork(after_in_child=_forget_in_child)


def install(descriptor: int) -> logging.Handler:
    """Makes the root logger write to `descriptor`, or to stderr if that is not open.

    Its level is INFO, or what PENSTOCK_LOG_LEVEL says.
    """
    handler: logging.Handler
    try:
        os.set_inheritable(descriptor, False)
        handler = RecordHandler(descriptor)
    except OSError:
        handler = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(os.environ.get("PENSTOCK_LOG_LEVEL", "INFO").upper())
    return handler


def _line(level: int, logger: str, message: str, time_ns: int, **more: Any) -> bytes:
    record = {
        "level": next((name for at_least, name in _NAMES if level >= at_least), "debug"),
        "logger": logger,
        # Lone surrogates (from undecodable file names) are no UTF-8.
        "message": message.encode("utf-8", "backslashreplace").decode(),
        "time_ns": time_ns,
        **more,
    }
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _await_room(descriptor: int, timeout_s: Optional[float]) -> bool:
    """False when there is none after so long."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))
