"""A role of the dora pipeline, chosen by the environment variables ROLE and FOLDER that the dataflow sets."""

from __future__ import annotations

import os
from pathlib import Path

import stream
from dora import Node


def main() -> None:
    role, folder = os.environ["ROLE"], Path(os.environ["FOLDER"])
    node = Node()
    if role == "source":
        for message in stream.messages(folder):
            node.send_output("out", message)
        return
    worker = stream.Worker(folder) if role == "worker" else None
    sink = stream.Sink(folder) if role == "sink" else None
    for event in node:
        if event["type"] != "INPUT":
            continue
        data = memoryview(event["value"].to_numpy(zero_copy_only=True)).cast("B")
        if worker is not None:
            node.send_output("out", worker.answer(data))
        if sink is not None:
            sink.note(data)


if __name__ == "__main__":
    main()
