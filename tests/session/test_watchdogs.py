"""Nodes that take too long are ended, say where they were, and are told or restarted."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from conftest import SINK, Project, node, penstock

PLACES = pytest.mark.parametrize("container", [False, True], ids=["process", "container"])

SLOW = '''
import os, threading, time
import penstock
from penstock import Text

if os.path.exists("/app/hang_in_import") or os.path.exists(os.path.join(os.path.dirname(__file__), "hang_in_import")):
    threading.Event().wait()


def wait_forever() -> None:
    threading.Event().wait()


class Numbers(penstock.Node):
    def setup(self, params: dict) -> None:
        self.n = params["n"]

    def process(self):
        for i in range(self.n):
            yield Text(str(i))


class Hang(penstock.Node):
    """Hangs at message 3: once, as a file remembers, or always."""

    def setup(self, params: dict) -> None:
        self.marker = params.get("marker", "")

    def process(self, text: Text) -> Text:
        if text.text == "3" and not (self.marker and os.path.exists(self.marker)):
            if self.marker:
                open(self.marker, "w").close()
            print("hanging", flush=True)
            wait_forever()
        return text


class Wait(penstock.Node):
    """Handles the first message when a file appears."""

    def setup(self, params: dict) -> None:
        self.gate = params["gate"]
        os.mkfifo(self.gate)

    def process(self, text: Text) -> None:
        if self.gate:
            print("waits", flush=True)
            open(self.gate).close()
            self.gate = ""


class Gated(penstock.Node):
    """Handles each of the first messages when a pipe is opened."""

    def setup(self, params: dict) -> None:
        self.gate, self.closed = params["gate"], params["closed"]
        os.mkfifo(self.gate)

    def process(self, text: Text) -> None:
        if int(text.text) < self.closed:
            with open(self.gate) as gate:
                gate.read()  # to its end: a writer that is not closed yet would let the next message through as well
'''


@pytest.fixture
def slow(project: Project) -> Project:
    (project.folder / "nodes.py").write_text(SLOW)
    return project


@PLACES
def test_a_handler_that_hangs_is_ended_and_its_stack_is_told(slow: Project, container: bool) -> None:
    slow.chain(
        node("count", "Numbers", params={"n": 10}),
        node("hang", "Hang", container=container, process_timeout="200ms"),
        SINK,
    )
    result = slow.run()
    assert result.returncode == 1
    assert (
        "node 'hang' did not handle message 3 of edge count.out->hang.in within 0.2 s; "
        "raise its process_timeout if it needs longer" in result.stderr
    )
    assert "in wait_forever" in result.stderr


@PLACES
def test_a_handler_that_hangs_is_restarted_where_the_manifest_says_so(slow: Project, container: bool) -> None:
    marker = "/tmp/marker" if container else str(slow.folder / "marker")
    slow.chain(
        node("count", "Numbers", params={"n": 10}),
        node(
            "hang",
            "Hang",
            container=container,
            params={"marker": marker},
            process_timeout="200ms",
            on_failure="restart",
        ),
        SINK,
    )
    result = slow.run()
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(i) for i in range(10)]
    assert "penstock: node 'hang' is restarted at once (restart 1)" in result.stderr


def test_a_worker_that_was_stopped_is_ended_too(slow: Project) -> None:
    (slow.folder / "marker").touch()
    slow.chain(
        node("count", "Numbers", params={"n": 10}),
        node("wait", "Wait", params={"gate": str(slow.folder / "gate")}, process_timeout="1s"),
    )
    with slow.start() as running:
        running.read_until("[wait] waits")
        for pid, command in descendants(running.process.pid):
            if "penstock.worker" in command:
                os.kill(pid, signal.SIGSTOP)
        running.read_until(
            "penstock: error: node 'wait' did not handle message 0 of edge count.out->wait.in within 1.0"
        )
        assert running.wait() == 1


def descendants(pid: int) -> list[tuple[int, str]]:
    """Of a process, with their command lines."""
    process = Path("/proc") / str(pid)
    found = []
    for child in (process / "task" / str(pid) / "children").read_text().split():
        found.append((int(child), (Path("/proc") / child / "cmdline").read_text()))
        found += descendants(int(child))
    return found


def test_a_module_whose_import_hangs_says_where(slow: Project) -> None:
    (slow.folder / "hang_in_import").touch()
    slow.chain(node("count", "Numbers", params={"n": 1}, start_timeout="1s"), SINK)
    result = slow.run()
    assert result.returncode == 1
    assert "node 'count' did not import its module and set up within 1.0 s" in result.stderr
    assert "nodes.py" in result.stderr and "Fatal Python error: Aborted" in result.stderr


def test_time_that_a_consumer_takes_is_not_its_producers_and_is_named(slow: Project) -> None:
    gate = slow.folder / "gate"
    slow.chain(
        node("count", "Numbers", params={"n": 30}),
        node("through", "Hang", params={"marker": str(slow.folder)}, process_timeout="500ms"),
        node("wait", "Wait", params={"gate": str(gate)}),
    )
    with slow.start("--report", str(slow.folder / "report.json")) as running:
        running.read_until(
            "penstock: warning: node 'through' cannot send: edge through.out->wait.in has no room, "
            "as node 'wait' has not handled what it was sent"
        )
        os.close(os.open(gate, os.O_WRONLY))
        assert running.wait() == 0, "".join(running.lines)
    edges = json.loads((slow.folder / "report.json").read_text())["edges"]
    assert [edge["delivered"] for edge in edges] == [30, 30]


def await_waits_after(session: str, message: int) -> int:
    """The message after `message` that node 'through' has waited with for a second."""
    while True:
        shown = json.loads(penstock("ps", "--json").stdout)["sessions"]
        nodes = next(each["nodes"] for each in shown if each["session"] == session)
        through = next(each for each in nodes if each["id"] == "through")
        handling, waits = through["handling"], through["waits_for"]
        if handling and waits and handling["message"] > message and waits[0]["for_s"] > 1:
            return int(handling["message"])


def test_a_consumer_that_is_slow_at_every_message_is_told_of_once_and_counted(slow: Project) -> None:
    gate = slow.folder / "gate"
    slow.chain(
        node("count", "Numbers", params={"n": 20}),
        node("through", "Hang", params={"marker": str(slow.folder)}, process_timeout="500ms"),
        node("wait", "Gated", params={"gate": str(gate), "closed": 3}),
    )
    with slow.start() as running:
        session = running.read_until("session ").split()[1]
        message = -1
        for _ in range(3):
            message = await_waits_after(session, message)
            os.close(os.open(gate, os.O_WRONLY))
        assert running.wait() == 0, "".join(running.lines)
    output = "".join(running.lines)
    assert output.count("node 'through' cannot send") == 1
    counted = re.search(
        r"node 'through' had to wait (\d+) times, each beyond its process_timeout, for node 'wait'", output
    )
    assert counted and int(counted[1]) >= 3
