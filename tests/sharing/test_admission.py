"""What running sessions were promised counts when the next one starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conftest import User


def of_host(share: float) -> dict[str, Any]:
    """A memory limit that is this share of the host's memory: a limit takes nothing until it is used."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal:"))
    return {"resource_limits": {"memory_mb": int(kilobytes / 1024 * share), "cpu_cores": 0.5}}


def test_memory_that_a_running_session_holds_is_refused_with_its_name(user: User) -> None:
    run = user.start(user.pipeline("Endless", name="first", **of_host(0.6)))
    run.container()
    (session,) = [each["session"] for each in json.loads(user.penstock("ps", "--json").stdout)["sessions"]]
    second = str(user.pipeline(name="second", env={"A": "1"}, **of_host(0.6)))
    for verb in ("run", "plan"):
        refused = user.penstock(verb, second)
        assert refused.returncode == 3
        assert f"session {session} (first: n0 " in refused.stderr
        assert "('penstock stop ID')" in refused.stderr and "--overcommit" in refused.stderr
        assert refused.stdout == ""
    assert len(user.containers()) == 1

    forced = user.penstock("run", second, "--overcommit")
    assert forced.returncode == 0, forced.stderr
    assert "warning: this pipeline's containers may use " in forced.stderr

    assert user.penstock("stop", session).returncode == 0
    assert run.wait() == 130
    # Its container is still warm, but promised to nobody.
    assert user.penstock("run", second).returncode == 0


def test_a_container_that_is_shared_counts_once(user: User) -> None:
    endless = user.pipeline("Endless", **of_host(0.6))
    first, second = user.start(endless), user.start(endless)
    assert first.container() == second.container()
    assert user.penstock("stop", "--all").returncode == 0
    third = user.start(endless)
    third.container()
    assert len(user.containers()) == 1, "the warm one"


def test_sessions_that_start_at_once_do_not_promise_the_same_memory(user: User) -> None:
    manifests = [user.pipeline("Endless", name=f"p{i}", env={"A": str(i)}, **of_host(0.6)) for i in range(3)]
    for manifest in manifests:
        user.start(manifest)
    # One runs on; the others end by themselves.
    codes = []
    for run in list(user.running):
        text = run.read_until_any("runs in ", "running sessions hold ")
        if "running sessions hold " in text:
            codes.append(run.wait())
    assert codes == [3, 3]


def test_a_killed_session_holds_nothing(user: User) -> None:
    run = user.start(user.pipeline("Endless", name="first", **of_host(0.6)))
    run.container()
    run.process.kill()
    run.process.wait()
    assert user.penstock("run", str(user.pipeline(name="second", **of_host(0.6)))).returncode == 0
