"""Output and log records of a process with several sessions: each thread's go to its own session."""

from __future__ import annotations

import contextlib
import io
import logging
import threading
from typing import Any, Callable, Optional

from penstock import _records


class Streams:
    """A session's own standard output, standard error and log records."""

    def __init__(self, out: int, err: int, records: _records.RecordHandler) -> None:
        # As the worker's own: what a node prints is seen when it prints it, and never fails for want of a locale.
        self.texts = tuple(
            open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115, PTH123
            for fd in (out, err)
        )
        self.records = records

    def close(self) -> None:
        self.records.drain(_records.FLUSH_TIMEOUT_S)
        self.records.close()
        for text in self.texts:
            with contextlib.suppress(OSError):  # its reader is gone; closed it is
                text.close()


StreamsOfThread = Callable[[], Optional[Streams]]


class RoutedText:
    """`sys.stdout` or `sys.stderr`: that of the thread's session."""

    def __init__(self, streams: StreamsOfThread, index: int) -> None:
        self._streams = streams
        self._index = index
        self._nowhere = io.StringIO()

    def write(self, text: str) -> int:
        streams = self._streams()
        return len(text) if streams is None else streams.texts[self._index].write(text)

    def flush(self) -> None:
        streams = self._streams()
        if streams is not None:
            streams.texts[self._index].flush()

    def fileno(self) -> int:
        return self._index + 1

    def __getattr__(self, name: str) -> Any:
        streams = self._streams()
        return getattr(self._nowhere if streams is None else streams.texts[self._index], name)


class RoutedRecords(logging.Handler):
    """Gives a record to its thread's session."""

    def __init__(self, streams: StreamsOfThread) -> None:
        super().__init__()
        self._streams = streams

    def handle(self, record: logging.LogRecord) -> bool:
        # Without a lock of its own: a session that is written slowly must not hold up the others.
        streams = self._streams()
        return bool(self.filter(record)) and streams is not None and bool(streams.records.handle(record))


def carry_session_to_new_threads() -> None:
    """A thread that a session's thread starts belongs to that session."""
    start = threading.Thread.start

    def start_in_session(self: threading.Thread) -> None:
        session = getattr(threading.current_thread(), "_penstock_session", None)
        if session is not None and not hasattr(self, "_penstock_session"):
            self._penstock_session = session  # type: ignore[attr-defined]
        start(self)

    threading.Thread.start = start_in_session  # type: ignore[method-assign]
