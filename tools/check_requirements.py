"""Holds docs/requirements.md against what a run of the tests really did.

Each row of the table is `| id | statement | evidence |`; evidence is any number of

    `ctest:NAME`    a unit test, by ctest's name; `*` stands for any characters
    `pytest:NODE`   a pytest node id, `tests/house/test_tree.py::test_namespaces`; without parameters: all
    `bench:ID`      a figure of `./dev bench`; its script bench/<ID up to the first dot>.py must exist, and where
                    build/bench.json holds figures of that script, ID must be one of them

Every named test must have run and passed. A row without evidence is reported as skipped. With --reports the result is
written there as requirements.xml, one test a row.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from junit import Case, read_cases

_EVIDENCE = re.compile(r"`(ctest|pytest|bench):([^`]+)`")
_ID = re.compile(r"(FR|SC)-\d{3}")


@dataclass(frozen=True)
class Requirement:
    id: str
    evidence: tuple[tuple[str, str], ...]  # (kind, name)


def parse(text: str) -> list[Requirement]:
    """The rows of the table. Raises ValueError for a row that does not read as one, or an id that comes twice."""
    rows: dict[str, Requirement] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|") or not _ID.match(cells[0]):
            continue
        if len(cells) != 3 or not _ID.fullmatch(cells[0]):
            raise ValueError(f"line {number}: a row is `| FR-000 | statement | evidence |`")
        if cells[0] in rows:
            raise ValueError(f"line {number}: {cells[0]} has a row already")
        leftover = _EVIDENCE.sub("", cells[2]).replace("<br>", "").strip(" ,—-")
        if leftover:
            raise ValueError(f"line {number}: '{leftover}' is not evidence; write `ctest:…`, `pytest:…` or `bench:…`")
        rows[cells[0]] = Requirement(cells[0], tuple(_EVIDENCE.findall(cells[2])))
    return list(rows.values())


class Evidence:
    """What ran, by the kind of test that it is."""

    def __init__(self, cases: list[Case], bench_folder: Path, figures: list[str]) -> None:
        self._cases = cases
        self._bench_folder = bench_folder
        self._figures = figures

    def problem(self, kind: str, name: str) -> str | None:
        """Why this is no evidence; None when it is."""
        if kind == "bench":
            return self._bench_problem(name)
        if kind == "pytest":
            dotted = name.replace(".py::", "::").replace("/", ".").replace("::", ".")
            found = [case for case in self._cases if case.name == dotted or case.name.startswith(f"{dotted}[")]
        else:
            found = [case for case in self._cases if fnmatchcase(case.name, name.replace("[", "[[]"))]
        if not found:
            return f"{kind}:{name} did not run"
        for case in found:
            if case.outcome != "passed":
                return f"{kind}:{case.name} {'failed' if case.outcome == 'failed' else 'was skipped'}: {case.detail}"
        return None

    def _bench_problem(self, name: str) -> str | None:
        script = name.partition(".")[0]
        if not (self._bench_folder / f"{script}.py").is_file():
            return f"bench:{name} has no script bench/{script}.py"
        measured = [figure for figure in self._figures if figure.partition(".")[0] == script]
        if measured and not any(fnmatchcase(figure, name) for figure in measured):
            return f"bench:{name} is not among the figures that bench/{script}.py gave"
        return None


def judge(requirement: Requirement, evidence: Evidence) -> Case:
    if not requirement.evidence:
        return Case(requirement.id, "skipped", "docs/requirements.md names no test yet")
    problems = [problem for kind, name in requirement.evidence if (problem := evidence.problem(kind, name))]
    return Case(requirement.id, "failed", "; ".join(problems)) if problems else Case(requirement.id, "passed")


def write_junit(cases: list[Case], path: Path) -> None:
    suite = ElementTree.Element("testsuite", name="requirements", tests=str(len(cases)))
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", name=case.name, classname="requirements")
        if case.outcome != "passed":
            tag = "failure" if case.outcome == "failed" else "skipped"
            ElementTree.SubElement(element, tag, message=case.detail)
    ElementTree.ElementTree(suite).write(path, encoding="unicode", xml_declaration=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Checks that each test named in docs/requirements.md ran and passed.")
    parser.add_argument("--table", type=Path, default=Path("docs/requirements.md"))
    parser.add_argument("--reports", type=Path, required=True, help="folder of the run's JUnit files")
    options = parser.parse_args(arguments)

    # A test that ran twice (plain and under a sanitizer) must have passed twice.
    cases = [case for file in sorted(options.reports.glob("*.xml")) for case in read_cases(file)]
    measured = Path("build/bench.json")
    figures = [str(figure["id"]) for figure in json.loads(measured.read_text())] if measured.exists() else []
    requirements = parse(options.table.read_text(encoding="utf-8"))
    results = [judge(requirement, Evidence(cases, Path("bench"), figures)) for requirement in requirements]
    write_junit(results, options.reports / "requirements.xml")
    for result in results:
        print(f"    {result.name} {result.outcome}" + (f": {result.detail}" if result.detail else ""))
    return 1 if any(result.outcome == "failed" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
