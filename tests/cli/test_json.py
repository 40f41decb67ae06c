"""docs/json.md names every field that is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import REPOSITORY, SHOW, SINK, Project, as_json, penstock

PAGE = (REPOSITORY / "docs" / "json.md").read_text(encoding="utf-8")


def documented(section: str) -> set[str]:
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`(\w+)`", text))


def fields(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from fields(item)


@pytest.mark.parametrize("words", [["doctor"], ["nodes"], ["version"], ["images", "list"]])
def test_every_field_is_on_the_page(words: list[str]) -> None:
    report = as_json(*words)
    assert set(fields(report)) - {"package", "no_deps"} <= documented(words[0])


def test_every_field_of_a_quarantined_message_is_on_the_page(project: Project) -> None:
    refuse = {"id": "refuse", "node_type": "nodes:Refuse", "retry": {"max_attempts": 1}}
    project.chain({"id": "count", "node_type": "nodes:Count", "params": {"n": 2}}, refuse, SINK)
    ran = penstock("run", str(project.manifest))
    assert ran.returncode == 0, ran.stderr
    listed = as_json("quarantine", "list")
    assert len(listed["messages"]) == 1, listed
    shown = as_json("quarantine", "show", listed["messages"][0]["id"])
    assert shown == listed["messages"][0]
    assert {"traceback", "payload_bytes"} <= set(fields(listed)) <= documented("quarantine")


def test_the_plans_own_fields_are_on_the_page(project: Project) -> None:
    project.chain(SHOW, SINK)
    assert set(as_json("plan", str(project.manifest))) == documented("plan") - {"penstock"}
