"""A node that takes what it can get ends at its container's limits, and the session still ends well."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from conftest import SINK, Host, node

PIDS, NOFILE, TMPFS_MB, SHM_MB = 48, 1024, 24, 12


@pytest.fixture
def found(host: Host) -> dict[str, Any]:
    theirs = Path("/dev/shm") / f"penstock-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        # Of the host, and one that documents may use: no packet leaves a container without a network.
        addresses = [("127.0.0.1", port), ("172.17.0.1", port), ("192.0.2.1", 80)]
        each = node("attack", "Attack", "3.11", params={"addresses": addresses})
        each["docker"] |= {"keep_warm": 0, "tmpfs_mb": TMPFS_MB, "shm_size_mb": SHM_MB}
        each["docker"]["resource_limits"] |= {"pids": PIDS, "nofile": NOFILE}
        host.chain(each, SINK)
        theirs.write_text("the host's")
        try:
            result = host.run("penstock", "run", str(host.manifest))
        finally:
            theirs.unlink()
    assert result.returncode == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_every_attack_fails(found: dict[str, Any]) -> None:
    bomb = found["fork bomb"]
    assert bomb["error"] == "EAGAIN" and 0 < bomb["made"] < PIDS
    hoard = found["descriptors"]
    assert hoard["error"] == "EMFILE" and 0 < hoard["made"] < NOFILE

    filled = found["fill"]
    assert filled["/tmp"]["error"] == "ENOSPC" and filled["/tmp"]["bytes"] <= TMPFS_MB << 20
    assert filled["/dev/shm"]["error"] == "ENOSPC" and filled["/dev/shm"]["bytes"] <= SHM_MB << 20
    for directory in ("/", "/app", "/run"):
        assert filled[directory] == {"bytes": 0, "error": "EROFS"}
    assert found["shared memory"] == []  # its own, not the host's

    refused = list(found["connect"].values())
    assert refused[0] == "ECONNREFUSED"  # its own loopback, where nobody listens
    assert set(refused[1:]) == {"ENETUNREACH"}
    assert found["engine"] == []

    assert found["become root"] == ["EPERM", "EPERM", "EPERM"]
    for name in ("user namespace", "mount", "device", "reboot"):
        assert found[name] == "EPERM", name
    assert found["kernel settings"] in ("EROFS", "EACCES")
