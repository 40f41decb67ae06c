"""What the manifest grants arrives in the container, and nothing secret anywhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import SINK, Host, container_ids, docker, node

SECRET = "s3cret-" + os.urandom(8).hex()
PRIVATE = "pr1vate-" + os.urandom(8).hex()
MIB = 1 << 20


def make_files(host: Host) -> None:
    """Beside the project, which every container sees: a secret, variables, and a directory to share."""
    secrets = host.folder / "home/.config/penstock/secrets"
    secrets.mkdir(parents=True)
    for path, text in (
        (secrets / "token", SECRET),
        (host.folder / "home/key.pem", SECRET + "-key"),
        (host.folder / "home/node.env", f"PRIVATE={PRIVATE}\nMODE=of the file\n"),
    ):
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, host.uid, host.uid)
    data = host.folder / "data"
    data.mkdir()
    (data / "input").write_text("the input")
    os.chown(data, host.uid or 1000, host.uid or 1000)
    for folder in (secrets, secrets.parent, secrets.parent.parent):
        os.chown(folder, host.uid, host.uid)


def given(host: Host) -> dict[str, Any]:
    params = {
        "env": ["PRIVATE", "MODE"],
        "files": ["/run/secrets/token", "/run/secrets/key.pem", "/data/input"],
        "directories": ["/data", "/archive", "/run/secrets", "/tmp", "/dev/shm"],
    }
    each = node("given", "Given", "3.11", params=params)
    each["docker"] |= {
        "keep_warm": 0,
        "env": {"MODE": "of the manifest"},
        "env_file": "../home/node.env",
        "secrets": ["token", {"name": "key.pem", "file": "../home/key.pem"}],
        "volumes": [
            {"host_path": "../data", "container_path": "/data"},
            {"host_path": "../data", "container_path": "/archive", "read_only": True},
        ],
        "tmpfs_mb": 16,
        "shm_size_mb": 8,
        "devices": ["/dev/null:/dev/other:rw"],
    }
    each["docker"]["resource_limits"] |= {"pids": 60, "nofile": 2048}
    return each


@pytest.mark.parametrize("host", [1000, os.geteuid()], indirect=True, ids=["image user", "own user"])
def test_what_is_granted_arrives_and_secrets_stay_secret(host: Host) -> None:
    make_files(host)
    host.chain(given(host), SINK)
    plan = host.run("penstock", "plan", str(host.manifest))
    as_json = host.run("penstock", "plan", "--json", str(host.manifest))
    assert plan.returncode == 0, plan.stderr
    assert "may write ../data, sees ../data, device /dev/null as /dev/other (rw)" in plan.stdout
    assert "/run/secrets/token" in plan.stdout and "MODE" in plan.stdout

    with host.start() as run:
        found = json.loads(run.read_until("] given ").partition("] given ")[2])
        (container,) = container_ids(host)
        inspected = docker("inspect", container)
        mounts = {mount["Destination"]: mount for mount in json.loads(inspected)[0]["Mounts"]}
        # The copies that were mounted have no names any more.
        for name in ("token", "key.pem"):
            assert not Path(mounts[f"/run/secrets/{name}"]["Source"]).exists()
        run.process.terminate()
        run.wait()
        output = "".join(run.lines)

    assert found["env"] == {"PRIVATE": PRIVATE, "MODE": "of the manifest"}
    texts = {path: file["text"] for path, file in found["files"].items()}
    secrets = {"/run/secrets/token": SECRET, "/run/secrets/key.pem": SECRET + "-key"}
    assert texts == {**secrets, "/data/input": "the input"}
    assert found["files"]["/run/secrets/token"]["mode"] == "0o400"
    assert found["writable"] == ["/data", "/tmp", "/dev/shm"]

    for text in (plan.stdout, as_json.stdout, inspected):
        assert SECRET not in text and PRIVATE not in text
    # The node itself has printed what it was given; nobody else has.
    for line in output.splitlines():
        assert "] given " in line or (SECRET not in line and PRIVATE not in line)


def test_limits_and_rights_are_the_engines_own_fields(host: Host) -> None:
    make_files(host)
    host.chain(given(host), SINK)
    with host.start() as run:
        run.read_until("] given ")
        (container,) = container_ids(host)
        (inspected,) = json.loads(docker("inspect", container))
        run.process.terminate()
        run.wait()
    config = inspected["HostConfig"]
    assert config["Memory"] == config["MemorySwap"] == 256 * MIB  # of both together: no swap
    assert config["NanoCpus"] == 1_000_000_000
    assert config["PidsLimit"] == 60
    assert config["ShmSize"] == 8 * MIB
    assert config["Ulimits"] == [{"Name": "nofile", "Hard": 2048, "Soft": 2048}]
    assert f"size={16 * MIB}" in config["Tmpfs"]["/tmp"]
    assert config["Devices"] == [
        {"PathOnHost": "/dev/null", "PathInContainer": "/dev/other", "CgroupPermissions": "rw"}
    ]
    assert config["ReadonlyRootfs"] and config["NetworkMode"] == "none" and not config["Privileged"]
    assert config["CapDrop"] == ["ALL"] and not config["CapAdd"]
    assert "no-new-privileges" in config["SecurityOpt"]


def test_what_the_host_does_not_have_is_said_before_anything_starts(host: Host) -> None:
    each = node("given", "Given", "3.11", params={})
    each["docker"] |= {
        "secrets": ["nobody-has-this"],
        "volumes": [{"host_path": "../nothing", "container_path": "/data"}],
        "devices": ["/dev/penstock-none"],
    }
    host.chain(each, SINK)
    result = host.run("penstock", "run", str(host.manifest))
    assert result.returncode == 2
    assert f"the volume '{host.folder / 'nothing'}' of node 'given' does not exist" in result.stderr
    assert "secrets/nobody-has-this' of node 'given' does not exist" in result.stderr
    assert "the device '/dev/penstock-none' of node 'given' does not exist" in result.stderr
