"""docs/report.md names every field that a report has, and none that it has not."""

from __future__ import annotations

import re

from repository import ROOT, SOURCE

PAGE = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
CODE = (SOURCE / "session" / "report.cpp").read_text(encoding="utf-8")
WRITTEN = re.compile(r'\{"(\w+)",|\["(\w+)"\]')
CELL = re.compile(r"^\| (`[^|]*`) \|(.*)\|$", re.MULTILINE)


def written() -> set[str]:
    return {first or second for first, second in WRITTEN.findall(CODE)}


def documented() -> set[str]:
    """The fields in the first cells of the tables; and of objects in a cell, those that it lists."""
    first = {name for cell, _ in CELL.findall(PAGE) for name in re.findall(r"`(\w+)`", cell)}
    nested = {"node", "sentence", "traceback", "environment", "stream", "lines"}
    return first | {name for name in nested if f"`{name}`" in PAGE}


def test_the_code_has_fields() -> None:
    assert {"in_flight", "left_out", "timeline_s", "not_shown"} <= written()


def test_the_page_has_the_fields_of_the_code() -> None:
    assert documented() == written()
