"""Standard streams that are closed, full, or that nobody reads."""

from __future__ import annotations

import json
import os
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


def test_an_endless_pipeline_ends_when_nobody_reads_its_output(project: Project) -> None:
    project.chain(node("endless", "Endless"), SINK)
    done = shell("| head -2; exit ${PIPESTATUS[0]}", "run", str(project.manifest))
    assert (done.returncode, done.stdout) == (0, "0\n1\n"), done.stderr
    assert "nobody reads the output any more: the streams are ended" in done.stderr


def test_output_that_nobody_reads_is_told_also_at_the_end(project: Project) -> None:
    project.chain(node("count", "Count", params={"n": 3}), SINK)
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            [str(PENSTOCK), "run", str(project.manifest)],
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    finally:
        os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nobody reads the output any more") == 1
