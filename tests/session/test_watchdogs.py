"""Nodes that take too long are ended, say where they were, and are told or restarted."""

from __future__ import annotations

import json
import os
import signal

import pytest
from conftest import SINK, Project, node

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
        print("made", flush=True)

    def process(self, text: Text) -> None:
        if self.gate:
            open(self.gate).close()
            self.gate = ""
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
            "hang", "Hang", container=container, params={"marker": marker}, process_timeout="200ms", on_failure="restart"
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
        node("wait", "Wait", params={"gate": str(slow.folder / "gate")}, process_timeout="300ms"),
    )
    with slow.start() as running:
        running.read_until(" runs")
        for child in children(running.process.pid):
            if "penstock.worker" in child[1] and os.path.exists(f"/proc/{child[0]}"):
                os.kill(child[0], signal.SIGSTOP)
        running.read_until("penstock: error: node 'wait' did not handle message 0 of edge count.out->wait.in within 0.3")
        assert running.wait() == 1


def children(pid: int) -> list[tuple[int, str]]:
    """All descendants of a process, with their command lines."""
    found = []
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        direct = [int(word) for word in file.read().split()]
    for child in direct:
        with open(f"/proc/{child}/cmdline", "rb") as file:
            found.append((child, file.read().replace(b"\0", b" ").decode()))
        found += children(child)
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
        node("through", "Hang", params={"marker": str(slow.folder)}, process_timeout="100ms"),
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
