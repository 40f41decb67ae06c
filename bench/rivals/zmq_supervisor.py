"""Starts the ZeroMQ pipeline and restarts its worker whenever it fails: `zmq_supervisor.py FOLDER`.

ZeroMQ has nobody who does that, so here is the loop that its users write. It waits for the worker's end, which it thus
learns at once, and starts the next without delay. SIGTERM ends everything.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Optional

running: list[subprocess.Popen[bytes]] = []


def start(role: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("zmq_node.py")), role, sys.argv[1]])
    running.append(process)
    return process


def end(_number: int, _frame: Optional[FrameType]) -> None:
    for process in running:
        if process.poll() is None:
            process.kill()
    sys.exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, end)
    start("sink")
    start("source")
    while start("worker").wait() != 0:
        running.pop()


if __name__ == "__main__":
    main()
