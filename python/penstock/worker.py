"""The Python worker: `python -m penstock.worker`, started by the runtime with a control channel as descriptor 3.

It hosts one node of one session: attaches, imports the node, sets it up, handles messages until the inputs end, and
reports how it ended. Of a class that defines `load` it may come to host several sessions: see _hosting.py.
docs/worker-protocol.md specifies what the two say to each other.

The greeting comes first, and what it does not need is imported after it: while the runtime and the extension open the
ports, this thread imports the SDK and the node.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn, Optional

from penstock import __version__
from penstock._errors import PortError

if TYPE_CHECKING:
    import logging

    from penstock._core import Host

CONTROL, RECORDS = 3, 4
EXIT_FAILED, EXIT_RUNTIME_GONE = 1, 70
_ATTACH_TIMEOUT_S = 600.0  # the runtime has its own, shorter one; this ends a worker whose runtime hangs


def main() -> NoReturn:
    """Runs the worker; ends the process with 0, or with 1 after a failure was reported."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole terminal; the runtime decides what it means
    for stream in (sys.stdout, sys.stderr):
        # What a node prints is seen when it prints it, and never fails for want of a locale.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    process = os.getpid()
    link = _agent_link()
    host = _attach()

    import atexit

    from penstock import _records
    from penstock._life import Worker
    from penstock._node import defines_load

    records = _records.install(RECORDS)
    worker = Worker(host)
    try:
        cls = worker.import_class()
        if link is not None and not defines_load(cls):
            os.write(link, b'{"v":1,"type":"own"}')
            os.close(link)
            link = None
        prepared = worker.prepare(cls)
        if link is not None:
            from penstock._hosting import serve

            serve(link, worker, prepared)
        worker.run(prepared)
    except BaseException as error:
        if os.getpid() != process:
            raise  # a child that the node forked ends as Python ends it
        if isinstance(error, PortError) and error.code == "cancelled":
            _exit(EXIT_RUNTIME_GONE)
        worker.report(error)
        _drain(records)
        _exit(EXIT_FAILED)
    host.report_finished()
    atexit._run_exitfuncs()
    host.close()
    _drain(records)
    _exit(0)


def _agent_link() -> Optional[int]:
    """The descriptor at which the agent asks whether this process serves further sessions."""
    number = os.environ.pop("PENSTOCK_AGENT_LINK", None)
    if number is None:
        return None
    os.set_inheritable(int(number), False)
    return int(number)


def _drain(records: logging.Handler) -> None:
    from penstock._records import FLUSH_TIMEOUT_S, RecordHandler

    if isinstance(records, RecordHandler):
        records.drain(FLUSH_TIMEOUT_S)


def _attach() -> Host:
    try:
        os.set_inheritable(CONTROL, False)
    except OSError:
        sys.exit("python -m penstock.worker is started by Penstock itself, with a control channel as descriptor 3")
    try:
        from penstock import _core

        version = ".".join(map(str, sys.version_info[:3]))
        return _core.attach(CONTROL, "python", version, __version__, sys.executable, _ATTACH_TIMEOUT_S)
    except PortError as error:
        # The runtime knows: it is gone, or was told what is wrong with its configuration.
        print(f"penstock: {error}", file=sys.stderr)
        _exit(EXIT_RUNTIME_GONE if error.code == "peer gone" else EXIT_FAILED)
    except ImportError as error:
        _fail_without_extension(error)


def _fail_without_extension(error: BaseException) -> NoReturn:
    """The last words of a worker whose extension does not load (another libc or architecture)."""
    import json
    import platform
    import socket

    from penstock import _failures

    sentence = (
        f"the Penstock extension does not work with {sys.executable} "
        f"({platform.python_version()}, {platform.machine()}, {' '.join(platform.libc_ver()) or 'no glibc'}): "
        f"{error}. It needs CPython 3.9 to 3.13 on glibc 2.34 or newer "
        "(Debian bookworm, Ubuntu 22.04; not Alpine, not bullseye)"
    )
    failure = _failures.describe(error, "")
    packet = {"v": 1, "type": "failed", "phase": "import", "error": failure.error, "message": sentence}
    print(sentence, file=sys.stderr)
    with socket.socket(fileno=CONTROL) as control:
        control.send(json.dumps({**packet, "traceback": failure.traceback}).encode())
    _exit(EXIT_FAILED)


def _exit(status: int) -> NoReturn:
    """Ends the process without waiting for threads that a node left behind."""
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 - contextlib is not worth its import here
            stream.flush()
        except OSError:
            pass  # its reader is gone, and so is whoever could be told
    os._exit(status)


if __name__ == "__main__":
    main()
