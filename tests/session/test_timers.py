"""Nodes with coroutines and timers keep the contracts of all others: nothing is lost or sent twice by a restart."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import SINK, Project, node


@pytest.fixture
def timers(project: Project) -> Project:
    shutil.copy(Path(__file__).with_name("timer_nodes.py"), project.folder)
    return project


def timed(id: str, cls: str, project: Project, **more: Any) -> dict[str, Any]:
    params = {
        "marker": str(project.folder / "marker"),
        "ticks": str(project.folder / "ticks"),
        **more.pop("params", {}),
    }
    return {**node(id, cls, params=params, **more), "node_type": f"timer_nodes:{cls}"}


def run(project: Project) -> tuple[list[str], dict[str, Any]]:
    result = project.run("--report", str(project.folder / "report.json"))
    assert result.returncode == 0, result.stderr
    return result.stdout.split(), json.loads((project.folder / "report.json").read_text())


def doubled(n: int) -> list[str]:
    return [f"{i}{half}" for i in range(n) for half in "ab"]


def test_a_message_in_the_hands_of_a_coroutine_is_handled_again_and_nothing_is_sent_twice(timers: Project) -> None:
    timers.chain(
        node("count", "Count", params={"n": 20}), timed("crash", "Fragile", timers, on_failure="restart"), SINK
    )
    printed, report = run(timers)
    assert printed == doubled(20)
    edges = {edge["id"]: edge for edge in report["edges"]}
    assert edges["count.out->crash.in"]["redelivered"] == 1
    assert edges["crash.out->sink.in"]["suppressed"] == 1


@pytest.mark.parametrize("cls", ["Refuses", "RefusesAndTicks"])
def test_a_message_in_quarantine_does_not_put_a_coroutine_to_sleep(
    timers: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cls: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    refuses = timed("refuses", cls, timers, retry={"max_attempts": 2, "backoff": "0s"})
    timers.chain(node("count", "Count", params={"n": 6}), refuses, SINK)  # the others wait when it is put there
    printed, report = run(timers)
    assert printed == ["0", "1", "2", "4", "5"]
    assert next(each["quarantined"] for each in report["nodes"] if each["id"] == "refuses") == 1


def test_what_a_source_gives_at_its_end_is_sent_also_when_it_is_stopped_while_it_repeats(timers: Project) -> None:
    lines = timers.folder / "lines"
    sink = {"id": "sink", "node_type": "text.sink", "params": {"path": str(lines)}}
    timers.chain(timed("repeats", "Repeats", timers, on_failure="restart"), sink)
    with timers.start() as running:
        running.read_until("[repeats] repeats")
        running.process.send_signal(signal.SIGINT)
        running.wait()
    assert lines.read_text().split() == [*map(str, range(10)), "end"]


def test_a_coroutine_that_takes_too_long_is_told(timers: Project) -> None:
    timers.chain(
        node("count", "Count", params={"n": 1}), timed("stuck", "Hangs", timers, process_timeout="300ms"), SINK
    )
    result = timers.run()
    assert result.returncode == 1
    assert "node 'stuck'" in result.stderr and "process_timeout" in result.stderr


@pytest.mark.parametrize("at", ["message", "tick", "finish"])
def test_what_ticks_send_is_never_lost_and_confuses_no_restart(timers: Project, at: str) -> None:
    timers.chain(
        node("count", "Count", params={"n": 20}),
        timed("ticking", "Ticking", timers, params={"at": at}, on_failure="restart"),
        SINK,
    )
    printed, report = run(timers)
    assert [text for text in printed if text != "tick"] == [*doubled(20), "first", "second"]
    assert printed.count("tick") == len((timers.folder / "ticks").read_text()) >= 19
    assert next(each["restarts"] for each in report["nodes"] if each["id"] == "ticking") == 1


def test_a_message_that_fails_twice_is_handled_before_any_tick(timers: Project) -> None:
    # A tick in between would hide from the third worker what the first has sent.
    timers.chain(
        node("count", "Count", params={"n": 20}),
        timed("eager", "Eager", timers, retry={"max_attempts": 5, "backoff": "0s"}),
        SINK,
    )
    printed, report = run(timers)
    assert [text for text in printed if text != "tick"] == doubled(20)
    assert "tick" in printed
    assert next(each["restarts"] for each in report["nodes"] if each["id"] == "eager") == 2


def test_no_tick_comes_after_the_end(timers: Project) -> None:
    timers.chain(node("count", "Count", params={"n": 5}), timed("ticking", "Ticking", timers, params={"at": ""}), SINK)
    printed, _ = run(timers)
    assert printed[-2:] == ["first", "second"]


def test_a_source_of_ticks_begins_anew_in_its_next_worker(timers: Project) -> None:
    timers.chain(timed("beats", "Beats", timers, on_failure="restart"), timed("until", "Until", timers), SINK)
    with timers.start() as running:
        assert "['1', '2', '3', '1', '2', '3']" in running.read_until("[until] twice")
        running.process.send_signal(signal.SIGINT)
        running.wait()
