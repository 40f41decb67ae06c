"""Several sessions in one process: of a node class that defines `load`, where sessions share a container.

The process was started for one session as any other worker is, and has imported the class and called `load`. From then
on its main thread talks to the agent over a link of their own (docs/worker-protocol.md), and every session has a thread
that runs the ordinary Worker, with ports, output and logs of its own. A session that ends takes only its own with it.
"""

from __future__ import annotations

import array
import contextlib
import json
import logging
import os
import select
import socket
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, NoReturn, Optional, TextIO, cast

from penstock import __version__, _core, _records
from penstock._errors import PortError
from penstock._life import Prepared, Worker
from penstock._routing import RoutedRecords, RoutedText, Streams, carry_session_to_new_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock._core import Host

_PACKET_BYTES = 192 * 1024
_DESCRIPTORS_OF_A_SESSION = 4  # output, errors, control and records, in this order
_ATTACH_TIMEOUT_S = 600.0  # the runtime has its own, shorter one
_LOOK_AGAIN_MS = 250
_INTERRUPT_AFTER_S = 1.0  # waits at ports end at once; what else a session does gets an exception after this
_EXIT_FAILED, _EXIT_RUNTIME_GONE = 1, 70


_OTHERS = "The other sessions of the process go on."
_NO_DESCRIPTORS = (
    "penstock: this session cannot join the process that has loaded its node's class: that one has used up its "
    "descriptors. Raise docker.resource_limits.nofile of the node, let its code hold fewer files and sockets open, or "
    f"end other sessions. {_OTHERS}\n"
)
_NO_THREAD = (
    "penstock: this session cannot join the process that has loaded its node's class: {}. Raise "
    "docker.resource_limits.pids of the node, let its code start fewer threads, or end other sessions. "
    f"{_OTHERS}"
)
_KEEPS = (
    "penstock: the node keeps messages, or arrays in their memory, beyond the end of its session (in what `load` gave, "
    "or in a thread): the process with the model takes no further session. Copy what is to be kept."
)


class SessionEnded(BaseException):
    """Raised in the thread of a session that is over but does not come back."""


class Session:
    """One session's thread, and what belongs to it."""

    def __init__(self, number: int, streams: Streams, process: HostedProcess) -> None:
        self.number = number
        self.streams: Optional[Streams] = streams
        self.host: Optional[Host] = None
        self.worker: Optional[Worker] = None  # while its node lives
        self.ending_since: Optional[float] = None
        self.interrupted = False
        self.left = False
        self._process = process
        self._lock = threading.Lock()
        self._thread: Optional[threading.Thread] = None

    def start(self, run: Callable[[Session], int]) -> None:
        self._thread = threading.Thread(target=self._main, args=(run,), name=f"penstock-session-{self.number}")
        self._thread.daemon = True
        self._thread._penstock_session = self  # type: ignore[attr-defined]
        self._thread.start()

    def end(self) -> None:
        """Ends the waits of its thread."""
        self.ending_since = time.monotonic()
        host = self.host
        if host is not None:
            host.hang_up()

    def interrupt_if_overdue(self) -> None:
        with self._lock:  # the thread is there while we hold it: its number is nobody else's
            if self.ending_since is None or self.interrupted or self._thread is None or self._thread.ident is None:
                return
            if time.monotonic() - self.ending_since >= _INTERRUPT_AFTER_S:
                self.interrupted = True
                _core.raise_in(self._thread.ident, SessionEnded)
                worker = self.worker
                if worker is not None:
                    worker.wake()

    def _main(self, run: Callable[[Session], int]) -> None:
        code = _EXIT_RUNTIME_GONE
        pid = os.getpid()
        try:
            try:
                code = run(self)
            except SessionEnded:
                pass
            except BaseException:
                if os.getpid() != pid:
                    _end_child()
                traceback.print_exc()
                code = _EXIT_FAILED
            with self._lock:
                self.interrupted = True  # from here on it would be too late
            self._process.leave(self, code)
        except SessionEnded:  # raised once, just before that
            self._process.leave(self, code)


class HostedProcess:
    """The main thread's: which sessions there are."""

    def __init__(self, link: socket.socket, prepared: Prepared) -> None:
        self._link = link
        self._prepared = prepared
        self._sessions: dict[int, Session] = {}
        self._lock = threading.Lock()  # of which session is the oldest, which has descriptors 1 and 2
        # Opened while there is room: what ends a session, or tells it that it cannot join, must not need any.
        self._null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._spare: list[int] = []
        self._keep_spare()

    def serve(self, first: Worker) -> NoReturn:
        session = Session(0, Streams(os.dup(1), os.dup(2), _handler_of_first()), self)
        session.host = first.host
        self._sessions[0] = session
        self._route_output()
        _core.outlive_runtimes()
        session.start(lambda session: self._run(session, self._adopt(first)))
        self._link.send(b'{"v":1,"type":"shared"}')
        waiting = select.poll()
        waiting.register(self._link.fileno(), select.POLLIN)
        while True:
            ending = [each for each in list(self._sessions.values()) if each.ending_since and not each.interrupted]
            if waiting.poll(_LOOK_AGAIN_MS if ending else None):
                self._receive()
            for each in ending:
                each.interrupt_if_overdue()

    def oldest(self) -> Optional[Session]:
        return next(iter(list(self._sessions.values())), None)

    def leave(self, session: Session, code: int) -> None:
        """On the session's own thread. May be called again when it was interrupted."""
        host, session.host = session.host, None
        keeps = False
        if host is not None and not host.close():
            import gc

            gc.collect()  # a node that failed is in the cycles of its traceback; the ports close with its last message
            keeps = not host.close()
        del host
        if keeps and session.streams is not None:
            with contextlib.suppress(OSError):
                print(_KEEPS, file=session.streams.texts[1])
        with self._lock:
            if self._sessions.pop(session.number, None) is not None:
                self._follow_oldest()
        if session.streams is not None:
            session.streams.close()
            session.streams = None
        if session.left:
            return
        session.left = True
        self._say_left(session.number, code, keeps)

    def _say_left(self, number: int, code: int, keeps: bool = False) -> None:
        packet = {"v": 1, "type": "left", "number": number, "code": code, "keeps": keeps}
        self._link.send(json.dumps(packet).encode())

    def _receive(self) -> None:
        self._give_up_spare()  # the kernel drops descriptors for which there are no numbers
        data, fds = _receive_packet(self._link)
        room = self._keep_spare()
        if not data:
            os._exit(_EXIT_RUNTIME_GONE)  # the agent is gone
        packet = json.loads(data)
        number = packet["number"]
        if packet["type"] == "join":
            if room and len(fds) == _DESCRIPTORS_OF_A_SESSION:
                self._join(number, fds)
            else:
                self._turn_away(number, fds)
        elif packet["type"] == "end":
            leaving = self._sessions.get(number)
            if leaving is not None:
                leaving.end()

    def _join(self, number: int, fds: list[int]) -> None:
        out, err, control, records = fds
        streams = Streams(out, err, _records.RecordHandler(records))
        session = Session(number, streams, self)
        with self._lock:
            self._sessions[number] = session
            if len(self._sessions) == 1:
                self._follow_oldest()
        try:
            session.start(lambda session: self._run(session, self._attach(session, control)))
        except RuntimeError as error:
            # One session fewer, and the others go on.
            with contextlib.suppress(OSError):
                print(_NO_THREAD.format(error), file=streams.texts[1])
            os.close(control)
            self.leave(session, _EXIT_FAILED)

    def _turn_away(self, number: int, fds: list[int]) -> None:
        """A session for whose descriptors there is no room. The others go on."""
        if len(fds) > 1:
            with contextlib.suppress(OSError):  # whoever reads it may be gone
                os.write(fds[1], _NO_DESCRIPTORS.encode())
        for fd in fds:
            os.close(fd)
        self._keep_spare()
        self._say_left(number, _EXIT_FAILED)

    def _keep_spare(self) -> bool:
        """Whether there is room for them."""
        try:
            while len(self._spare) < _DESCRIPTORS_OF_A_SESSION:
                self._spare.append(os.dup(self._null))
        except OSError:
            return False
        return True

    def _give_up_spare(self) -> None:
        while self._spare:
            os.close(self._spare.pop())

    def _adopt(self, first: Worker) -> Worker:
        first.host.take_over()
        return first

    def _attach(self, session: Session, control: int) -> Optional[Worker]:
        version = ".".join(map(str, sys.version_info[:3]))
        try:
            session.host = _core.attach(control, "python", version, __version__, sys.executable, _ATTACH_TIMEOUT_S)
        except PortError as error:
            print(f"penstock: {error}", file=sys.stderr)
            return None  # the runtime is gone, or knows
        if session.ending_since is not None:
            session.host.hang_up()
        return Worker(session.host)

    def _run(self, session: Session, worker: Optional[Worker]) -> int:
        if worker is None:
            return _EXIT_FAILED
        pid = os.getpid()
        session.worker = worker
        try:
            worker.run(self._prepared)
        except SessionEnded:
            raise
        except BaseException as error:
            if os.getpid() != pid:
                _end_child()
            if isinstance(error, PortError) and error.code == "cancelled":
                return _EXIT_RUNTIME_GONE
            worker.report(error)
            return _EXIT_FAILED
        finally:
            session.worker = None
            if os.getpid() == pid:
                worker.let_go()
        worker.host.report_finished()
        return 0

    def _route_output(self) -> None:
        """What threads write goes to their session; what is written past Python, to the oldest one that lives."""
        carry_session_to_new_threads()
        sys.stdout = cast(TextIO, RoutedText(self.streams_of_thread, 0))
        sys.stderr = cast(TextIO, RoutedText(self.streams_of_thread, 1))
        root = logging.getLogger()
        for handler in list(root.handlers):
            if isinstance(handler, _records.RecordHandler):
                root.removeHandler(handler)
        root.addHandler(RoutedRecords(self.streams_of_thread))

    def _follow_oldest(self) -> None:
        oldest = self.oldest()
        if oldest is not None and oldest.streams is not None:
            for text, number in zip(oldest.streams.texts, (1, 2)):
                os.dup2(text.fileno(), number)
            return
        for number in (1, 2):
            os.dup2(self._null, number)

    def streams_of_thread(self) -> Optional[Streams]:
        """None: nowhere, since its session has left."""
        session = getattr(threading.current_thread(), "_penstock_session", None) or self.oldest()
        return None if session is None else session.streams


def serve(link: int, worker: Worker, prepared: Prepared) -> NoReturn:
    """From `load` to the end of the process, which is the agent's to decide."""
    HostedProcess(socket.socket(fileno=link), prepared).serve(worker)


def _receive_packet(link: socket.socket) -> tuple[bytes, list[int]]:
    """With fewer descriptors than were sent where there is no room for more. Not `socket.recv_fds`, which passes its
    flags on from Python 3.13 only."""
    fds = array.array("i")
    room = socket.CMSG_LEN(_DESCRIPTORS_OF_A_SESSION * fds.itemsize)
    data, ancillary, _flags, _address = link.recvmsg(_PACKET_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return data, fds.tolist()


def _handler_of_first() -> _records.RecordHandler:
    """The one that was installed for the first session."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _records.RecordHandler):
            return handler
    raise RuntimeError("a process that serves sessions was started without a descriptor for log records")


def _end_child() -> NoReturn:
    """A child that a node forked and that did not end by itself: as Python would end it."""
    traceback.print_exc()
    os._exit(_EXIT_FAILED)
