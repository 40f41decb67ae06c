"""Standard streams that are closed, full, or that nobody reads."""

from __future__ import annotations

import json
import os
import subprocess

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


@pytest.mark.parametrize(
    "verb",
    [["ps"], ["ps", "--json"], ["plan"], ["plan", "--json"], ["logs"], ["logs", "--json"], ["version"], ["--help"]]
    + [pytest.param(["images", *more], marks=pytest.mark.engine) for more in ([], ["--json"])],
)
def test_a_full_disk_is_one_sentence(project: Project, monkeypatch: pytest.MonkeyPatch, verb: list[str]) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(project.folder / "state"))
    project.chain(node("count", "Count"), SINK)
    assert project.run().returncode == 0  # so that there is a log
    done = shell(">/dev/full", *verb, *([str(project.manifest)] if verb[0] == "plan" else []))
    assert done.returncode == 3
    assert done.stderr == "penstock: error: cannot write to stdout: No space left on device (ENOSPC)\n"


def test_a_reader_that_has_enough_is_no_error(project: Project) -> None:
    project.chain(*(node(f"pass{i}", "Count" if i == 0 else "Pass") for i in range(200)), SINK)
    done = shell("| head -1; exit ${PIPESTATUS[0]}", "plan", "--json", str(project.manifest))
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")


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
