"""Whom a deadline ends, and whom it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import SINK, Project, node

BLAME = '''
import os, threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
import penstock
from penstock import Json, Text


class Numbers(penstock.Node):
    """params["n"] of them, or until it is stopped."""

    def setup(self, params: dict) -> None:
        self.n = params.get("n")

    def process(self) -> Iterator[Text]:
        i = 0
        while i != self.n and not self.stop_requested:
            yield Text(str(i))
            i += 1


class Patient(penstock.Node):
    """Takes most of the deadline for each message, and longer for its start; ends once at the third."""

    def setup(self, params: dict) -> None:
        self.marker = Path(params["marker"])
        threading.Event().wait(1.2)

    def process(self, text: Text) -> None:
        if text.text == "2" and not self.marker.exists():
            self.marker.touch()
            os._exit(3)
        threading.Event().wait(0.5)


class Burst(penstock.Node):
    """Of one message more than its consumer can handle in time, without end."""

    def process(self, text: Text) -> Iterator[Text]:
        while True:
            yield text


class Tenfold(penstock.Node):
    def process(self, tick: Json) -> Iterator[Text]:
        for _ in range(10):
            yield Text(str(tick.value))


class Heir(penstock.Node):
    """Hangs at its third message, once; its successor takes long for its start and its first message."""

    def setup(self, params: dict) -> None:
        self.marker, self.handled = Path(params["marker"]), 0
        threading.Event().wait(2 if self.marker.exists() else 0)

    def process(self, text: Text) -> None:
        if self.handled == 2 and not self.marker.exists():
            self.marker.touch()
            threading.Event().wait()
        threading.Event().wait(3.5 if self.handled == 0 and self.marker.exists() else 0)
        self.handled += 1


class Steady(penstock.Node):
    """A few milliseconds for each message, always."""

    def process(self, text: Text) -> None:
        threading.Event().wait(0.005)


class Slow(penstock.Node):
    """Half a second for each message, always."""

    def process(self, text: Text) -> Text:
        threading.Event().wait(0.5)
        return text


class Pass(penstock.Node):
    def process(self, text: Text) -> Text:
        return text


class Dies(penstock.Node):
    """Once, at its fourth message."""

    def setup(self, params: dict) -> None:
        self.marker = Path(params["marker"])

    def process(self, text: Text) -> Text:
        if text.text == "3" and not self.marker.exists():
            self.marker.touch()
            os._exit(3)
        return text


class Hang(penstock.Node):
    def process(self, text: Text) -> None:
        threading.Event().wait()


class Ticks(penstock.Node):
    """params["n"] of them, params["every"] seconds apart, a microsecond apart in media time."""

    def setup(self, params: dict) -> None:
        self.n, self.every = params["n"], params["every"]

    def process(self) -> Iterator[Json]:
        for i in range(self.n):
            threading.Event().wait(self.every)
            yield Json(i, time=i * 1000)


class Both(penstock.Node):
    inputs: ClassVar[dict[str, type]] = {"left": Json, "right": Json}

    def process(self, left: Json, right: Json) -> Text:
        return Text(f"{left.value} {right.value}")
'''


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "nodes.py").write_text(BLAME)
    tmp_path.chmod(0o755)
    return Project(tmp_path)


def test_a_worker_has_its_own_time_after_a_restart(project: Project) -> None:
    project.write(
        [
            node("source", "Numbers", params={"n": 8}),
            node("patient", "Patient", params={"marker": str(project.folder / "marker")}, on_failure="restart"),
        ],
        [{"from": "source", "to": "patient", "depth": 2, "deadline": "900ms"}],
    )
    result = project.run("--strict-loss")
    assert result.returncode == 0, result.stderr
    assert "did not make room" not in result.stderr
    assert result.stderr.count("is restarted at once") == 1


def test_a_node_that_handles_one_message_too_long_is_blamed_and_not_its_consumer(project: Project) -> None:
    project.write(
        [node("source", "Numbers"), node("burst", "Burst"), node("steady", "Steady")],
        [{"from": "source", "to": "burst", "depth": 2, "deadline": "1s"}, ("burst", "steady")],
    )
    result = project.run()
    assert result.returncode == 1
    assert "node 'burst' did not make room on edge source.out->burst.in within 1.0 s" in result.stderr


# It has itself worked for a moment while its producer waited, so that it has waited for less than the deadline.
def test_who_waits_for_most_of_the_deadline_is_not_blamed(project: Project) -> None:
    project.write(
        [node("source", "Numbers"), node("slow", "Slow"), node("pass", "Pass"), node("hang", "Hang")],
        [
            {"from": "source", "to": "slow", "depth": 1, "deadline": "2s"},
            {"from": "slow", "to": "pass", "depth": 1},
            {"from": "pass", "to": "hang", "depth": 1},
        ],
    )
    result = project.run()
    assert result.returncode == 1
    assert (
        "node 'hang' did not make room on edge pass.out->hang.in, which holds up edge source.out->slow.in, "
        "within 2.0 s" in result.stderr
    )


@pytest.mark.parametrize("limited", ["dies.out->hang.in", "source.out->dies.in"])
def test_who_holds_up_the_restart_of_the_node_before_it_is_blamed(project: Project, limited: str) -> None:
    project.write(
        [
            node("source", "Numbers"),
            node("dies", "Dies", params={"marker": str(project.folder / "marker")}, on_failure="restart"),
            node("hang", "Hang"),
        ],
        [
            {"from": a, "to": b, "depth": 8, **({"deadline": "1s"} if limited.startswith(a) else {})}
            for a, b in (("source", "dies"), ("dies", "hang"))
        ],
    )
    result = project.run()
    assert result.returncode == 1
    assert "node 'dies' is restarted at once" in result.stderr
    assert (
        "node 'hang' did not handle what node 'dies', which is restarted then, had sent on edge dies.out->hang.in"
        in result.stderr
    )


# The one that hung leaves room for one message, so that the wait of who sends to it begins anew.
def test_who_was_held_up_by_a_worker_that_was_replaced_is_not_blamed(project: Project) -> None:
    project.write(
        [
            node("source", "Ticks", params={"n": 3, "every": 0.3}),
            node("tenfold", "Tenfold"),
            node("heir", "Heir", params={"marker": str(project.folder / "marker")}, on_failure="restart"),
        ],
        [
            {"from": "source", "to": "tenfold", "depth": 1, "deadline": "5s"},
            {"from": "tenfold", "to": "heir", "depth": 4, "delivery": "at_most_once", "deadline": "5s"},
        ],
    )
    result = project.run()
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("did not make room") == 1


def test_a_join_that_waits_for_another_input_is_not_ended_but_told_of(project: Project) -> None:
    project.write(
        [
            node("left", "Ticks", params={"n": 30, "every": 0.01}),
            node("right", "Ticks", params={"n": 2, "every": 1.2}),
            node("both", "Both", join={"on": "time", "tolerance": "1us"}),
            SINK,
        ],
        [
            {"from": "left", "to": "both", "to_input": "left", "depth": 2, "deadline": "400ms"},
            {"from": "right", "to": "both", "to_input": "right"},
            ("both", "sink"),
        ],
    )
    result = project.run()
    assert result.returncode == 0, result.stderr
    assert "did not make room" not in result.stderr
    assert (
        "edge left.out->both.left has no room, as node 'both' waits for a message of another input to join"
        in result.stderr
    )
    assert result.stdout.splitlines()[:2] == ["0 0", "1 1"]


def test_the_end_of_a_stream_is_waited_for_no_longer_than_room(project: Project) -> None:
    project.write(
        [node("source", "Numbers", params={"n": 3}), node("hang", "Hang")],
        [{"from": "source", "to": "hang", "deadline": "500ms"}],
    )
    result = project.run()
    assert result.returncode == 1
    assert "node 'hang' did not make room on edge source.out->hang.in within 0.5 s" in result.stderr
