"""Two sessions in one container: what the one can do to the other, with Landlock and without."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import SINK, Host, node

# A profile that lets everything pass but Landlock, as if the kernel had none.
WITHOUT_LANDLOCK = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["landlock_create_ruleset"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}],
}


def intrude(host: Host, **security: Any) -> tuple[dict[str, Any], int]:
    """What a session finds in a container where another one runs, and by which version they are kept apart."""

    def pipeline(cls: str) -> None:
        each = node("inside", cls, "3.11")
        each["docker"] |= {"keep_warm": 0, "security": security}
        host.chain(each, SINK)

    pipeline("Stay")
    with host.start() as run:
        container = run.read_until("stays in").split()[-1]
        pipeline("Intrude")
        report = host.project.parent / "home/report.json"
        result = host.run("penstock", "run", str(host.manifest), "--report", str(report))
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)
        assert found["container"] == container, "they do not share one"
        # What it started itself is within its reach, as in any container.
        assert "opens its descriptors" in found["child"] and "signals it" in found["child"]
        run.process.terminate()
        run.wait()
    (landlock,) = (each["landlock"] for each in json.loads(report.read_text())["nodes"] if each["id"] == "inside")
    return found, landlock


def ways(found: dict[str, Any], name: str) -> set[str]:
    processes = [each for each in found["others"] if each["name"].startswith(name)]
    assert processes, found["others"]
    return {way for each in processes for way in each["ways"]}


def test_with_landlock_a_session_cannot_look_into_its_neighbour(host: Host) -> None:
    found, landlock = intrude(host)
    if landlock == 0:
        pytest.skip("this kernel or the engine's seccomp profile has no Landlock")
    signals = set() if landlock >= 6 else {"signals it"}
    assert ways(found, "python") == signals
    assert ways(found, "penstock-agent") == signals
    assert ways(found, "penstock-keeper") == signals


def test_without_landlock_sessions_of_a_container_are_one_trust_domain(host: Host) -> None:
    profile = host.project / "profile.json"
    profile.write_text(json.dumps(WITHOUT_LANDLOCK))
    found, landlock = intrude(host, seccomp="profile.json")
    assert landlock == 0
    # The positive control of the other test, and what docs/security.md says.
    assert {"opens its descriptors", "reads its variables", "traces it", "signals it"} <= ways(found, "python")
    # The agent, whose leases are other sessions' too, keeps to itself all the same.
    assert ways(found, "penstock-agent") == {"signals it"}
