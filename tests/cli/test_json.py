"""docs/json.md names every field that is printed."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import DEADLINE, PENSTOCK, REPOSITORY, SHOW, SINK, Project, as_json, penstock

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


def test_validate_tells_every_error_with_its_place(project: Project) -> None:
    project.chain(SHOW, SINK)
    wrong = project.folder / "wrong.yaml"
    nodes = ["{id: a, node_type: 'nodes:Show', depth: 3}", "{id: a, node_type: text.sink}"]
    wrong.write_text("version: v1\nnodes:\n" + "".join(f"  - {each}\n" for each in nodes))
    done = penstock("validate", "--json", str(project.manifest), str(wrong))
    assert done.returncode == 2 and done.stderr == ""
    report = json.loads(done.stdout)
    assert set(fields(report)) == documented("validate") - {"null"}
    good, bad = report["manifests"]
    assert (good["valid"], good["nodes"], good["connections"], good["errors"]) == (True, 2, 1, [])
    assert (bad["valid"], bad["nodes"]) == (False, None)
    told = [f"{each['file']}:{each['line']}:{each['column']}: {each['message']}" for each in bad["errors"]]
    assert len(told) >= 2
    shown = penstock("validate", str(wrong)).stderr.splitlines()
    assert [line for line in shown if line.startswith(str(wrong))] == told


def test_a_quiet_validate_says_nothing_of_what_is_valid(project: Project) -> None:
    done = penstock("validate", "--quiet", str(project.chain(SHOW, SINK)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_build_tells_what_it_made(project: Project) -> None:
    project.chain(SHOW, SINK)
    done = penstock("build", "--quiet", "--json", str(project.manifest))
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert set(fields(report)) == documented("build") - {"null"}
    (made,) = report["environments"]
    assert made["node"] == "show" and made["image"] is None and Path(made["interpreter"]).exists()


@pytest.fixture
def own_runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where no sessions are but ours. Not in tmp_path: a socket's path is short."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.mark.usefixtures("own_runtime")
def test_stop_and_gc_tell_what_they_ended(project: Project) -> None:
    project.chain({"id": "count", "node_type": "nodes:Endless"}, SINK)
    process = subprocess.Popen([str(PENSTOCK), "run", str(project.manifest)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "0\n"
    (session,) = as_json("ps")["sessions"]
    stopped = as_json("stop", "--all")
    assert stopped["sessions"] == [{"session": session["session"], "ended": True}]
    assert set(fields(stopped)) <= documented("stop")
    process.communicate(timeout=DEADLINE)
    assert as_json("stop", "--all")["sessions"] == []
    done = penstock("stop", "--all", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    collected = as_json("gc")
    assert collected == {"version": 1, "containers": 0} and set(collected) <= documented("gc")
    assert penstock("gc", "--quiet").stdout == ""


def test_the_plans_own_fields_are_on_the_page(project: Project) -> None:
    project.chain(SHOW, SINK)
    assert set(as_json("plan", str(project.manifest))) == documented("plan") - {"penstock"}
