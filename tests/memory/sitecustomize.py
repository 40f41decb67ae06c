"""Put beside nodes.py, Python imports this before the SDK: a worker that speaks the protocol as it likes.

With FOREIGN_SEGMENT in its environment it sends a file that is none of its realm's as the segment of its output.
"""

import array
import json
import os
import socket

if "FOREIGN_SEGMENT" in os.environ:
    control = socket.socket(fileno=3)
    hello = {"pid": os.getpid(), "language": "python", "version": "3", "sdk": "0", "executable": "?"}
    control.send(json.dumps({"v": 1, "type": "hello", **hello}).encode())
    data, ancillary, _, _ = control.recvmsg(1 << 18, 4096)
    output = json.loads(data)["outputs"][0]
    chunks = output["buffer"] + output["max_held"] + output["history"] + 2
    foreign = os.memfd_create("segment")
    os.ftruncate(foreign, 1 << 40)
    segment = {"fd": 0, "first": 0, "stride": 1 << 30, "header": 256, "chunks": chunks}
    packet = {"v": 1, "type": "outputs_open", "segments": [segment]}
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [foreign]))
    control.sendmsg([json.dumps(packet).encode()], [rights])
    control.recv(1)  # until the runtime has had enough
    os._exit(0)
