"""A container's worker reaches nothing but what it was handed, also when its user is the host's user.

As root these tests become other users; uid 1000 is the one that the images have too.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import SINK, Host, node

USERS = pytest.mark.parametrize("host", [1000, 4242, 0], indirect=True, ids=["image user", "other user", "root"])
USER = pytest.mark.parametrize("host", [1000], indirect=True, ids=["image user"])


def make_secrets(host: Host) -> dict[str, str]:
    """Files of the user's, readable for all and for the user only, and one of the system's."""
    secrets = {}
    for name, mode in (("open", 0o644), ("private", 0o600)):
        path = host.folder / name
        path.write_text(f"{name} secret {os.urandom(8).hex()}\n")
        path.chmod(mode)
        os.chown(path, host.uid, host.uid)
        secrets[str(path)] = path.read_text()
    secrets["/etc/hostname"] = Path("/etc/hostname").read_text()
    return secrets


def probe_in_containers(host: Host, secrets: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What two nodes found that share one edge's producer and have an output each."""
    params = {"secrets": secrets}
    host.write(
        [
            node("once", "Once"),
            node("a", "Probe", "3.11", params=params),
            node("b", "Probe", "3.10", params=params),
            SINK,
        ],
        [("once", "a"), ("once", "b"), ("a", "sink"), ("b", "sink")],
    )
    result = host.run("penstock", "run", str(host.manifest))
    assert result.returncode == 0, result.stderr
    found = {}
    for line in result.stderr.splitlines():
        if "] probe " in line:
            name, _, report = line.partition("] probe ")
            found[name.lstrip("[")] = json.loads(report)
    assert set(found) == {"a", "b"}, result.stderr
    return found


@USERS
def test_a_container_reaches_nothing_of_the_host(host: Host) -> None:
    found = probe_in_containers(host, make_secrets(host))
    for report in found.values():
        assert report["leaks"] == []
        assert report["walls"]["uid"] == (host.uid or 1000)
        # The probe had something to probe: its realms, control blocks and doorbells, and the control channel.
        assert report["kinds"]["directory"] == 2
        assert report["kinds"]["memory"] >= 2 and report["kinds"]["socket"] >= 1


@USERS
def test_a_container_is_locked_down(host: Host) -> None:
    for report in probe_in_containers(host, {}).values():
        walls = report["walls"]
        assert set(walls["capabilities"].values()) == {0}
        assert walls["no_new_privileges"] == "1"
        assert walls["seccomp"] == "2"
        assert walls["interfaces"] == ["lo"]
        assert walls["writable"] == [] and walls["sockets"] == [] and walls["engine"] == []
        assert not walls["namespaces"] and not walls["root_can_be_changed"]
        assert set(walls["groups"]) <= {host.uid or 1000}


@USER
def test_a_node_holds_the_shared_memory_of_its_own_edges_only(host: Host) -> None:
    found = probe_in_containers(host, {})
    a, b = ({tuple(realm) for realm in found[name]["realms"]} for name in ("a", "b"))
    assert len(a) == len(b) == 2
    assert len(a & b) == 1  # their common producer's
    for report in found.values():
        # Every open file lies in one of the node's realms, and there is no kind of descriptor that has no probe.
        assert set(report["files"]) <= {device for device, _ in report["realms"]}
        known = {"directory", "memory", "socket", "pipe", "file", "/dev/null"}
        assert {kind for kind in report["kinds"] if not kind.startswith("anon_inode:")} <= known


@USER
def test_the_probe_finds_a_directory_of_the_host(host: Host) -> None:
    secrets = make_secrets(host)
    given = host.project / "given"
    given.mkdir()
    os.chown(given, host.uid, host.uid)
    leaks = probe_on_host(host, secrets, os.open(given, os.O_RDONLY | os.O_DIRECTORY))
    for leak in ("its parent is another directory", "its parent lists other names"):
        assert any(leak in each for each in leaks)
    for path in secrets:
        for way in ("openat reads", "a path through /proc reads", "a link reads", "fchdir and .. read"):
            assert any(f"{way} {path}" in each for each in leaks), (way, path)


@USER
def test_the_probe_finds_memory_that_can_be_resized(host: Host) -> None:
    memory = os.memfd_create("unsealed", 0)
    os.ftruncate(memory, 4096)
    leaks = probe_on_host(host, {}, memory)
    assert any("takes a size of 0" in leak for leak in leaks)
    assert any("grows by fallocate" in leak for leak in leaks)


def probe_on_host(host: Host, secrets: dict[str, str], fd: int) -> list[str]:
    """The leaks through this descriptor, from a plain process of the user's."""
    # The virtual environment's own may be closed to the user.
    python = str(Path(sys.executable).resolve())
    result = host.run(python, str(host.project / "probe.py"), json.dumps(secrets), pass_fds=(fd,))
    os.close(fd)
    assert result.returncode == 0, result.stderr
    return [leak for leak in json.loads(result.stdout)["leaks"] if leak.startswith(f"descriptor {fd} ")]
