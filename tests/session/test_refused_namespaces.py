"""A host that refuses user namespaces: the kernel itself does, in a namespace of the test's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from conftest import DEADLINE, PENSTOCK, SINK, Project, node

# Whoever is root in a user namespace sets how many there may be below it; the host's own number is not touched.
ALLOWED = Path("/proc/sys/user/max_user_namespaces")
REFUSING = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"'


def run_without_namespaces(project: Project) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", REFUSING, str(PENSTOCK), "run", str(project.manifest)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, "XDG_RUNTIME_DIR": str(project.folder)},
        check=False,
    )


def test_a_host_without_user_namespaces_is_told_with_its_remedies(project: Project) -> None:
    project.chain(node("count", "Count", params={"n": 1}), SINK)
    before = ALLOWED.read_text()
    result = run_without_namespaces(project)
    assert result.returncode == 3, result.stderr
    (error,) = [line for line in result.stderr.splitlines() if "error" in line]
    assert error.startswith(
        "penstock: error: this host refuses the private user namespace in which shared memory is made "
        "(No space left on device): allow it with "
    )
    assert "'sysctl user.max_user_namespaces=15000'" in error
    assert result.stdout == ""
    assert ALLOWED.read_text() == before
