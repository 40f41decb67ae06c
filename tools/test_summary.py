"""Adds up the JUnit files of one `./dev test`; its last line is `N passed, N failed` and, if any were, `, N skipped`.

The folder holds `runners.tsv` (runner, exit code) and a `RUNNER.xml` for each. A runner that left no file, an
unreadable one or one without tests is a failure, and so is one that exited with an error although every test passed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from junit import Case, read_cases


def judge(runner: str, exit_code: int, report: Path) -> list[Case]:
    """The runner's cases, with one more if the runner itself failed."""
    try:
        cases = read_cases(report)
    except (OSError, ValueError) as error:
        return [Case(runner, "failed", f"left no result: {error} (exit code {exit_code})")]
    if not cases:
        return [Case(runner, "failed", f"ran no test (exit code {exit_code})")]
    if exit_code != 0 and not any(case.outcome == "failed" for case in cases):
        cases.append(Case(runner, "failed", f"exited with code {exit_code} although no test failed"))
    return cases


def count(cases: list[Case], outcome: str) -> int:
    return sum(case.outcome == outcome for case in cases)


def tally(cases: list[Case]) -> str:
    skipped = count(cases, "skipped")
    return f"{count(cases, 'passed')} passed, {count(cases, 'failed')} failed" + (
        f", {skipped} skipped" if skipped else ""
    )


def main(arguments: list[str]) -> int:
    reports = Path(arguments[0])
    total: list[Case] = []
    lines: list[str] = []
    for line in (reports / "runners.tsv").read_text().splitlines():
        runner, exit_code = line.split("\t")
        cases = judge(runner, int(exit_code), reports / f"{runner}.xml")
        lines.append(f"    {runner}: {tally(cases)}")
        total += cases
    print("==> summary", *lines, sep="\n")
    for outcome in ("skipped", "failed"):
        for case in total:
            if case.outcome == outcome:
                print(f"{outcome.upper()} {case.name}: {case.detail}")
    if not total:
        total = [Case("test", "failed", "no runner was started")]
    print(tally(total))
    return 1 if count(total, "failed") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
