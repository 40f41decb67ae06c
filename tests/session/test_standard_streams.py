"""Standard streams that are closed, full, or that nobody reads."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from conftest import DEADLINE, PENSTOCK, SINK, Project, node


def shell(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs penstock with a redirection of the shell's, such as `>&-`."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "bash", str(PENSTOCK), *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_run_needs_no_open_standard_streams(project: Project, closed: str) -> None:
    project.chain(node("count", "Count", params={"n": 50}), node("talk", "Talk"), node("shout", "Shout"), SINK)
    report = project.folder / "report.json"
    done = shell(closed, "run", str(project.manifest), "--report", str(report))
    assert done.returncode == 0, done.stderr
    edges = json.loads(report.read_text())["edges"]
    assert [edge["sent"] for edge in edges] == [50, 50, 50]
    if closed == "2>&-":
        assert len(done.stdout.splitlines()) == 50
        assert all("!" in line for line in done.stdout.splitlines()), "only what the sink prints"


@pytest.mark.parametrize(
    "verb", [["ps"], ["ps", "--json"], ["version"], pytest.param(["images", "--json"], marks=pytest.mark.engine)]
)
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_verbs_need_no_open_standard_streams(verb: list[str], closed: str) -> None:
    done = shell(closed, *verb)
    assert (done.returncode, done.stderr) == (0, "")
