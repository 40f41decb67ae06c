"""The tools that decide whether a run counts as passed must themselves be strict."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import check_requirements
import pytest
import test_summary
from check_requirements import Evidence
from junit import Case, read_cases
from repository import ROOT

CTEST = """<testsuite name="(empty)" tests="4">
  <testcase name="base.Uuid.IsVersion7" classname="base.Uuid.IsVersion7" status="run"/>
  <testcase name="base.Uuid.IsOrdered" classname="base.Uuid.IsOrdered" status="fail">
    <failure message="Failed"/>
  </testcase>
  <testcase name="docker.Ping.Answers" classname="docker.Ping.Answers" status="notrun">
    <skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
    <system-out>ping_test.cpp:3: Skipped\nno engine\n[  SKIPPED ] Ping.Answers</system-out>
  </testcase>
  <testcase name="image_test_NOT_BUILT" classname="image_test_NOT_BUILT" status="notrun"/>
</testsuite>"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_outcomes_of_ctest_are_told_apart(tmp_path: Path) -> None:
    cases = read_cases(write(tmp_path, "unit.xml", CTEST))
    assert [case.outcome for case in cases] == ["passed", "failed", "skipped", "failed"]
    assert cases[2] == Case("docker.Ping.Answers", "skipped", "no engine")


def test_parameters_and_module_are_part_of_a_pytest_name(tmp_path: Path) -> None:
    report = '<testsuites><testsuite><testcase classname="tests.a.test_b" name="test_c[1]"/></testsuite></testsuites>'
    assert read_cases(write(tmp_path, "p.xml", report)) == [Case("tests.a.test_b.test_c[1]", "passed")]


@pytest.mark.parametrize(
    ("report", "exit_code"),
    [(None, 0), ("<testsuite", 0), ("<testsuite/>", 0), ('<testsuite><testcase name="a"/></testsuite>', 9)],
    ids=["missing", "truncated", "empty", "passed but the runner failed"],
)
def test_a_runner_without_a_clean_result_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], report: str | None, exit_code: int
) -> None:
    write(tmp_path, "runners.tsv", f"unit\t{exit_code}\n")
    if report is not None:
        write(tmp_path, "unit.xml", report)
    assert test_summary.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("1 failed")


def test_the_last_line_adds_up_all_runners(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "runners.tsv", "unit\t8\nother\t0\n")
    write(tmp_path, "unit.xml", CTEST)
    write(tmp_path, "other.xml", '<testsuite><testcase name="a"/></testsuite>')
    assert test_summary.main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "2 passed, 2 failed, 1 skipped"
    assert "SKIPPED docker.Ping.Answers: no engine" in lines


def test_a_run_in_which_all_passed_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "runners.tsv", "unit\t0\n")
    write(tmp_path, "unit.xml", '<testsuite><testcase name="a"/></testsuite>')
    assert test_summary.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 0 failed"


RAN = Evidence(
    [
        Case("base.Uuid.IsVersion7", "passed"),
        Case("tests.a.test_b.test_c[1]", "passed"),
        Case("tests.a.test_b.test_c[2]", "failed", "boom"),
        Case("tests.a.test_b.test_d", "skipped", "no engine"),
        Case("tests.a.test_b.test_e[x]", "passed"),
    ],
    Path("no-such-folder"),
    [],
)


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("ctest", "base.Uuid.IsVersion7", None),
        ("ctest", "base.Uuid.*", None),
        ("ctest", "base.Uuid.IsVersion8", "did not run"),
        ("pytest", "tests/a/test_b.py::test_c", "boom"),
        ("pytest", "tests/a/test_b.py::test_c[1]", None),
        ("pytest", "tests/a/test_b.py::test_d", "was skipped: no engine"),
        ("pytest", "tests/a/test_b.py::test_e", None),
        ("bench", "echo.process.8", "no script bench/echo.py"),
    ],
)
def test_evidence_counts_only_when_it_ran_and_passed(kind: str, name: str, problem: str | None) -> None:
    found = RAN.problem(kind, name)
    assert (found is None) if problem is None else (found is not None and problem in found)


def test_a_figure_must_be_among_those_measured(tmp_path: Path) -> None:
    write(tmp_path, "echo.py", "")
    evidence = Evidence([], tmp_path, ["echo.process.8", "start.cached3"])
    assert evidence.problem("bench", "echo.process.8") is None
    assert evidence.problem("bench", "echo.process.9") is not None
    assert Evidence([], tmp_path, []).problem("bench", "echo.process.9") is None


def test_rows_are_read_with_their_evidence() -> None:
    table = "| id | statement | evidence |\n|---|---|---|\n| FR-001 | a | `ctest:x.y` `bench:e.1` |\n| FR-002 | b | |\n"
    first, second = check_requirements.parse(table)
    assert first.evidence == (("ctest", "x.y"), ("bench", "e.1"))
    assert check_requirements.judge(second, RAN).outcome == "skipped"


@pytest.mark.parametrize(
    "row", ["| FR-001 | a | x.y |", "| FR-001 | a |", "| FR-001x | a | |", "| FR-001 | a | |\n| FR-001 | b | |"]
)
def test_a_row_that_does_not_read_as_one_is_an_error(row: str) -> None:
    with pytest.raises(ValueError, match="line "):
        check_requirements.parse(row)


def missing_packages(*names: str) -> list[str]:
    script = (
        'set -euo pipefail; source tools/dev/setup.sh; mapfile -t found < <(missing_packages "$@"); echo "${found[@]}"'
    )
    command = ["bash", "-c", script, "bash", *names]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="this host has no dpkg")
def test_setup_finds_missing_a_package_that_dpkg_has_never_heard_of() -> None:
    assert missing_packages("dpkg", "no-such-package-anywhere") == ["no-such-package-anywhere"]
    assert missing_packages("dpkg") == []
