"""What nodes and the runtime say is in the log, complete, in order, with who said it and when."""

from __future__ import annotations

import base64
import re
import time
from datetime import datetime
from typing import Any

import pytest
from conftest import REPOSITORY, Project, lines_of, source

PLACES = pytest.mark.parametrize("container", [False, True], ids=["process", "container"])


def text_of(record: dict[str, Any]) -> bytes:
    return base64.b64decode(record["base64"]) if "base64" in record else record["message"].encode()


@PLACES
@pytest.mark.slow
def test_every_line_of_eight_nodes_is_kept_in_order_or_counted(project: Project, container: bool) -> None:
    """SC-008: 20,000 lines a second in all, for some seconds."""
    lines, rate = 10_002, 2500
    names = [f"flood{i}" for i in range(8)]
    project.write(*(source(name, "Flood", container=container, lines=lines, rate=rate) for name in names))
    run = project.run("--quiet", "--log-file-size", "64MiB")
    assert run.process.returncode == 0, run.stderr
    records = project.records()
    dropped = {(d["node"], d["stream"]): d["lines"] for d in run.report["log"]["dropped_by_source"]}
    told: dict[tuple[str, str], int] = {}
    for record in records:
        if "dropped" in record:
            key = (record["node"], record["stream"])
            told[key] = told.get(key, 0) + record["dropped"]
    kept = lines_of(records)
    assert told == dropped
    assert set(kept) == {(name, stream) for name in names for stream in ("stdout", "stderr", "log")}
    for key, got in kept.items():
        numbers = [int(record["message"].split()[1]) for record in got]
        assert all(a < b for a, b in zip(numbers, numbers[1:])), key
        assert len(numbers) + dropped.get(key, 0) == lines // 3, key


@PLACES
def test_each_record_says_who_spoke_when_and_how_loud(project: Project, container: bool) -> None:
    project.write(source("say", "Say", container=container, what="levels"))
    before = time.time()
    run = project.run()
    after = time.time()
    said = {r["message"]: r for r in project.records() if r["node"] == "say" and r["stream"] != "runtime"}
    assert {text: (r["stream"], r["level"]) for text, r in said.items()} == {
        "an info record": ("log", "info"),
        "a warning record": ("log", "warning"),
        "an error record": ("log", "error"),
        "a line of stdout": ("stdout", "info"),
        "a line of stderr": ("stderr", "warning"),
    }
    assert said["an info record"]["logger"] == "say"
    for record in said.values():
        assert record["session"] == run.report["session"]
        assert before - 1 <= datetime.fromisoformat(record["time"][:26]).timestamp() + offset() <= after + 1


def offset() -> float:
    """The log is in UTC; naive times are taken as local."""
    now = datetime.now()
    return (now.astimezone().utcoffset() or datetime.min - datetime.min).total_seconds()


def test_bytes_that_are_no_text_are_kept_and_a_last_line_needs_no_end(project: Project) -> None:
    project.write(source("say", "Say", what="bytes"))
    project.run()
    said = [text_of(r) for r in lines_of(project.records())["say", "stdout"]]
    raw = bytes(range(256))
    assert said == [*raw.split(b"\n"), "café".encode(), b"no end"]


@PLACES
def test_lines_of_a_megabyte_pass_whole_and_longer_ones_in_marked_pieces(project: Project, container: bool) -> None:
    project.write(source("say", "Say", container=container, what="long"))
    project.run("--quiet")
    kept = lines_of(project.records())
    said = kept["say", "stdout"]
    assert said[0]["message"] == "a" * 1_000_000
    pieces = said[1:-1]
    assert "".join(r["message"] for r in pieces) == "b" * 3_000_000
    assert [r.get("continued", False) for r in pieces] == [True] * (len(pieces) - 1) + [False]
    assert said[-1]["message"] == "last"
    assert [r["message"] for r in kept["say", "log"]] == ["c" * 1_000_000]


def test_tracebacks_of_several_nodes_are_not_mixed(project: Project) -> None:
    project.write(*(source(f"fail{i}", "Tracebacks") for i in range(4)))
    project.run("--quiet")
    records = [r for r in project.records() if r["stream"] == "stderr"]
    beginnings = [i for i, r in enumerate(records) if r["message"].startswith("Exception in thread")]
    assert len(beginnings) == 4 * 50
    heads = [i for i, r in enumerate(records) if r["message"] == "Traceback (most recent call last):"]
    for head in heads:
        node = records[head]["node"]
        body = []
        for record in records[head + 1 :]:
            body.append(record)
            if not record["message"].startswith(" "):
                break
        assert {record["node"] for record in body} == {node}
        assert body[-1]["message"].startswith("RuntimeError: failure ")


def test_a_record_with_a_traceback_is_one_record(project: Project) -> None:
    project.write(source("say", "Say", what="records"))
    project.run()
    (record,) = lines_of(project.records())["say", "log"]
    assert record["level"] == "error"
    first, *_, last = record["message"].splitlines()
    assert (first, last) == ("it failed", "KeyError: 'first'")


def test_the_runtime_says_how_the_session_began_and_ended(project: Project) -> None:
    project.write(source("say", "Say", what="levels"))
    project.run()
    events = [r["event"] for r in project.records() if r["stream"] == "runtime"]
    assert events[0] == "created" and events[-1] == "ended" and "started" in events


def test_a_failure_is_in_the_log_with_its_traceback_and_the_run_says_where(project: Project) -> None:
    project.write(source("say", "Say", what="raise_"))
    run = project.run()
    assert run.process.returncode == 1
    failed = next(r for r in project.records() if r.get("event") == "failed")
    assert (failed["node"], failed["level"]) == ("say", "error")
    assert failed["message"].startswith("node 'say' failed") and 'raise ValueError("no such word")' in failed["message"]
    assert f"log: {project.sessions / run.report['session']}" in run.stderr


@PLACES
def test_the_last_words_of_a_crash_are_kept(project: Project, container: bool) -> None:
    project.write(source("say", "Say", container=container, what="crash"))
    project.run()
    kept = lines_of(project.records())
    assert kept["say", "stdout"][-1]["message"] == "before the crash"
    errors = [r["message"] for r in kept["say", "stderr"]]
    assert errors[0] == "Fatal Python error: Segmentation fault"
    assert any("in crash" in line for line in errors)


def test_lines_have_the_members_that_the_documentation_lists_in_its_order(project: Project) -> None:
    documented = re.findall(r"^\| `(\w+)` \|", (REPOSITORY / "docs/logs.md").read_text(), re.MULTILINE)
    project.write(source("a", "Say", what="bytes"), source("b", "Say", what="long"), source("c", "Say", what="levels"))
    project.run("--quiet")
    seen = set()
    for record in project.records():
        assert list(record) == [member for member in documented if member in record]
        seen |= set(record)
    assert seen == set(documented) - {"dropped"}
