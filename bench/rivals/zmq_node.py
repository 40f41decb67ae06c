"""A role of the ZeroMQ pipeline: `zmq_node.py source|worker|sink FOLDER`. PUSH and PULL, with a high-water mark.

Who sends connects and who receives binds: a sender keeps what it has queued while it has no peer, whereas one that had
bound would drop the queue of a peer that is gone. Reconnecting is tried every 10 ms instead of 100 ms.
"""

from __future__ import annotations

import sys
from pathlib import Path

import stream
import zmq

HIGH_WATER = 8  # messages, as the depth of Penstock's edges: what waits in queues is what can be lost


def sender(context: zmq.Context, address: Path) -> zmq.Socket:
    socket = context.socket(zmq.PUSH)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
    socket.setsockopt(zmq.RECONNECT_IVL, 10)
    socket.connect(f"ipc://{address}")
    return socket


def receiver(context: zmq.Context, address: Path) -> zmq.Socket:
    socket = context.socket(zmq.PULL)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
    socket.bind(f"ipc://{address}")
    return socket


def main() -> None:
    role, folder = sys.argv[1], Path(sys.argv[2])
    context = zmq.Context()
    if role == "source":
        out = sender(context, folder / "a")
        for message in stream.messages(folder):
            out.send(message)
        out.close()
        context.term()  # waits until everything is sent
    elif role == "worker":
        worker = stream.Worker(folder)
        out, incoming = sender(context, folder / "b"), receiver(context, folder / "a")
        while True:
            out.send(worker.answer(incoming.recv()))
    elif role == "sink":
        sink, incoming = stream.Sink(folder), receiver(context, folder / "b")
        while True:
            sink.note(incoming.recv())
    else:
        raise SystemExit(f"there is no role {role!r}")


if __name__ == "__main__":
    main()
