"""The Python worker: `python -m penstock.worker`, started by the runtime with a control channel as descriptor 3.

It hosts one node of one session: attaches, imports the node, sets it up, handles messages until the inputs end, and
reports how it ended. docs/worker-protocol.md specifies what the two say to each other.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import gc
import json
import os
import platform
import signal
import socket
import sys
from pathlib import Path
from time import thread_time_ns
from typing import TYPE_CHECKING, Any, NoReturn, Optional

from penstock import _failures, _records
from penstock._errors import PortError
from penstock._ports import inspect_node, type_name
from penstock._resolve import resolve
from penstock._runner import Identity, NodeContext, Runner, UserClock

if TYPE_CHECKING:
    from penstock._core import Host

CONTROL, RECORDS = 3, 4
EXIT_FAILED, EXIT_RUNTIME_GONE = 1, 70
_ATTACH_TIMEOUT_S = 600.0  # the runtime has its own, shorter one; this ends a worker whose runtime hangs

_MESSAGE, _PORT_ENDED = 0, 1


class Worker:
    """One node's life. `phase` is where it is, for the report of a failure."""

    def __init__(self, host: Host) -> None:
        self.phase = "import"
        self.in_flight: Optional[tuple[int, int]] = None  # input and sequence of the message whose handler failed
        self._host = host
        self.configuration = host.configuration()
        self.node_id = self.configuration["node"]

    def run(self) -> None:
        """From the import to teardown. Raises whatever the node raises."""
        configuration, host = self.configuration, self._host
        code = configuration["code"]
        _put_first_on_path(code)
        cls = resolve(configuration["node_type"], configuration["modules"], code)
        ports = inspect_node(cls)

        self.phase = "setup"
        node = cls()
        identity = Identity(self.node_id, configuration["session"], configuration["attempt"])
        connected = {port: index for index, port in enumerate(configuration["output_ports"])}
        context = NodeContext(node, ports, identity, host, connected)
        runner = Runner(node, ports, context, configuration["input_ports"])
        node.setup(json.loads(configuration["params"]))

        self.phase = "ports"
        inputs = {port: type_name(types) for port, types in ports.inputs.items()}
        host.ready(inputs, {port: type_name(types) for port, types in ports.outputs.items()})
        context.is_open = True

        self.phase = "process"
        if runner.is_source:
            runner.run_source()
        elif configuration["measure_cpu"]:
            context.clock = UserClock()
            self._serve_measured(runner, context.clock)
            context.clock = None
        else:
            self._serve(runner)
        self.phase = "finish"
        runner.finish()
        self.phase = "ports"
        host.drain()
        self.phase = "teardown"
        node.teardown()

    def _serve(self, runner: Runner) -> None:
        # The hot loop. Nothing may refer to a message while the next one is awaited: its slot would stay taken.
        next_event, acknowledge, handle = self._host.next, self._host.acknowledge, runner.handle
        view = None
        try:
            while True:
                try:
                    kind, port, view = next_event()
                except PortError as error:
                    kind, port, view = self._next_after(error)
                if kind == _MESSAGE:
                    handle(port, view)
                    view = None
                    acknowledge(0)
                elif kind != _PORT_ENDED:
                    return
        except BaseException:
            if view is not None:
                self.in_flight = (port, view.sequence)
            raise

    def _serve_measured(self, runner: Runner, clock: UserClock) -> None:
        """As _serve, with the CPU time between two acknowledgements that was not the node's own."""
        host = self._host
        view = None
        start = thread_time_ns()
        try:
            while True:
                try:
                    kind, port, view = host.next()
                except PortError as error:
                    kind, port, view = self._next_after(error)
                if kind == _MESSAGE:
                    clock.user_ns = 0
                    runner.handle_measured(port, view, clock)
                    view = None
                    end = thread_time_ns()
                    host.acknowledge(max(end - start - clock.user_ns, 0))
                    start = end
                elif kind != _PORT_ENDED:
                    return
        except BaseException:
            if view is not None:
                self.in_flight = (port, view.sequence)
            raise

    def _next_after(self, error: PortError) -> Any:
        if error.code == "exhausted":
            # Messages in reference cycles are held by nobody but the collector.
            gc.collect()
            return self._host.next()
        self.phase = "ports"
        raise error

    def report(self, error: BaseException) -> None:
        """Tells the runtime why the node cannot go on."""
        failure = _failures.describe(error, self.node_id)
        edge, sequence = None, None
        if self.in_flight is not None:
            port = self.configuration["input_ports"][self.in_flight[0]]
            edges = [edge for name, ids in self.configuration["input_edges"] if name == port for edge in ids]
            edge = edges[0] if len(edges) == 1 else None
            sequence = self.in_flight[1]
        self._host.report_failed(self.phase, failure.error, failure.message, failure.traceback, edge, sequence)


def main() -> NoReturn:
    """Runs the worker; ends the process with 0, or with 1 after a failure was reported."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole terminal; the runtime decides what it means
    for stream in (sys.stdout, sys.stderr):
        # What a node prints is seen when it prints it, and never fails for want of a locale.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    _records.install(RECORDS)
    process = os.getpid()
    worker = Worker(_attach())
    host = worker._host
    try:
        worker.run()
    except BaseException as error:
        if os.getpid() != process:
            raise  # a child that the node forked ends as Python ends it
        if isinstance(error, PortError) and error.code == "cancelled":
            _exit(EXIT_RUNTIME_GONE)
        worker.report(error)
        _exit(EXIT_FAILED)
    host.report_finished()
    atexit._run_exitfuncs()
    host.close()
    _exit(0)


def _attach() -> Host:
    try:
        os.set_inheritable(CONTROL, False)
    except OSError:
        sys.exit("python -m penstock.worker is started by Penstock itself, with a control channel as descriptor 3")
    try:
        from penstock import __version__, _core

        return _core.attach(
            CONTROL, "python", platform.python_version(), __version__, sys.executable, _ATTACH_TIMEOUT_S
        )
    except PortError as error:
        # The runtime knows: it is gone, or was told what is wrong with its configuration.
        print(f"penstock: {error}", file=sys.stderr)
        _exit(EXIT_RUNTIME_GONE if error.code == "peer gone" else EXIT_FAILED)
    except ImportError as error:
        _fail_without_extension(error)


def _fail_without_extension(error: BaseException) -> NoReturn:
    """The last words of a worker whose extension does not load (another libc or architecture)."""
    sentence = (
        f"the Penstock extension does not work with {sys.executable} "
        f"({platform.python_version()}, {platform.machine()}, {' '.join(platform.libc_ver()) or 'no glibc'}): "
        f"{error}. It needs CPython 3.9 to 3.13 on glibc 2.34 or newer "
        "(Debian bookworm, Ubuntu 22.04; not Alpine, not bullseye)"
    )
    failure = _failures.describe(error, "")
    packet: dict[str, Any] = {"v": 1, "type": "failed", "phase": "import", "error": failure.error, "message": sentence}
    packet["traceback"] = failure.traceback
    print(sentence, file=sys.stderr)
    with socket.socket(fileno=CONTROL) as control:
        control.send(json.dumps(packet).encode())
    _exit(EXIT_FAILED)


def _put_first_on_path(code: str) -> None:
    # `-m` put the working directory first, which is nobody's business here.
    if sys.path and sys.path[0] in ("", str(Path.cwd())):
        del sys.path[0]
    if code in sys.path:
        sys.path.remove(code)
    sys.path.insert(0, code)


def _exit(status: int) -> NoReturn:
    """Ends the process without waiting for threads that a node left behind."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # its reader is gone, and so is whoever could be told
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
