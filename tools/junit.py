"""JUnit files, as ctest and pytest write them, read into one form."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Case:
    """One test of one run.

    `name` is the runner's own: ctest's test name, or pytest's `module.path.test_name[parameters]`. `detail` is a
    line that says why it failed or was skipped, empty when it passed.
    """

    name: str
    outcome: Outcome
    detail: str = ""


def read_cases(path: Path) -> list[Case]:
    """All test cases of a file. Raises OSError when it is missing, ValueError when it is not JUnit XML."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is not XML: {error}") from error
    if root.tag not in ("testsuite", "testsuites"):
        raise ValueError(f"{path} is not a JUnit file: its root is <{root.tag}>")
    return [_read_case(element) for element in root.iter("testcase")]


def _read_case(element: ElementTree.Element) -> Case:
    name = element.get("name", "")
    class_name = element.get("classname", "")
    if class_name not in ("", name):  # ctest repeats the name
        name = f"{class_name}.{name}"
    for tag in ("failure", "error"):
        found = element.find(tag)
        if found is not None:
            return Case(name, "failed", _first_line(found.get("message") or found.text))
    skipped = element.find("skipped")
    if skipped is not None:
        return Case(name, "skipped", _skip_reason(element, skipped))
    # ctest's word for a test whose program is missing: neither run nor skipped on purpose.
    if element.get("status") in ("notrun", "disabled"):
        return Case(name, "failed", f"ctest says: {element.get('status')}")
    return Case(name, "passed")


def _skip_reason(element: ElementTree.Element, skipped: ElementTree.Element) -> str:
    """ctest only says which pattern matched; GoogleTest's own reason is the line after `…: Skipped`."""
    lines = (element.findtext("system-out") or "").splitlines()
    for number, line in enumerate(lines[:-1]):
        if line.endswith(": Skipped"):
            return lines[number + 1].strip()
    return _first_line(skipped.get("message") or skipped.text)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0] or "no reason given"
