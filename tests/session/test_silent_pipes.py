"""Sources that read pipes: a stop while nothing comes, and what is lost when their worker is replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import Project, Running, penstock, wait_gone
from test_checkpoint import native_worker
from test_restart import restarts

KINDS = pytest.mark.parametrize("kind", ["text", "json"])


class Piped:
    """A source that reads lines from a named pipe, and a sink that writes into another one."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.into, self.out = project.folder / "into", project.folder / "out"
        os.mkfifo(self.into)
        os.mkfifo(self.out)
        self.report = project.folder / "report.json"

    @contextmanager
    def start(self, kind: str, *arguments: str, stdin: int = subprocess.DEVNULL, **more: Any) -> Iterator[Running]:
        self.project.chain(
            {"id": "source", "node_type": f"{kind}.source", "params": {"path": str(self.into)}, **more},
            {"id": "sink", "node_type": "json.sink", "params": {"path": str(self.out)}},
        )
        # Opening a pipe to read it waits until the sink opens it.
        with (
            self.project.start("--report", str(self.report), *arguments, stdin=stdin) as running,
            self.out.open() as self.lines,
        ):
            yield running

    @contextmanager
    def writer(self) -> Iterator[int]:
        """Waits until a source reads the pipe."""
        descriptor = os.open(self.into, os.O_WRONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def sent(self) -> list[str]:
        """What comes out from now on, to the end."""
        return [self.content(line) for line in self.lines]

    def next_sent(self) -> str:
        return self.content(next(self.lines))

    @staticmethod
    def content(line: str) -> str:
        message = json.loads(line)
        return str(message["text"] if "text" in message else message["value"])

    def kill_source(self, running: Running) -> None:
        pid = native_worker(running, self.into)
        pidfd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        wait_gone(pidfd)
        os.close(pidfd)


@pytest.fixture
def piped(project: Project) -> Piped:
    return Piped(project)


@KINDS
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_an_interrupt_ends_a_source_whose_pipe_is_silent(piped: Piped, kind: str, how: signal.Signals) -> None:
    with piped.start(kind) as running, piped.writer() as writer:
        os.write(writer, b"1\n2")
        assert piped.next_sent() == "1"
        running.process.send_signal(how)
        assert piped.sent() == [], "a line that has not ended yet"
        assert running.wait() == 130


def test_an_interrupt_ends_a_source_whose_pipe_has_no_writer_yet(piped: Piped) -> None:
    with piped.start("text") as running:
        running.read_until("session ")
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130
        assert piped.sent() == []


def test_a_stop_ends_a_source_whose_standard_input_is_silent(piped: Piped) -> None:
    ours, theirs = os.pipe()
    try:
        with piped.start("text", "-", stdin=ours) as running:
            session = running.read_until("session ").split()[1]
            os.write(theirs, b"1\n")
            assert piped.next_sent() == "1"
            assert penstock("stop", session).returncode == 0
            assert running.wait() == 130
    finally:
        os.close(ours)
        os.close(theirs)


@KINDS
def test_the_successor_of_a_source_that_reads_a_pipe_begins_with_a_whole_line(piped: Piped, kind: str) -> None:
    with piped.start(kind, retry={"max_attempts": 3, "backoff": "0s"}) as running:
        with piped.writer() as writer:
            os.write(writer, b"1\n22")  # read at once
            assert piped.next_sent() == "1"
            piped.kill_source(running)
            with piped.writer() as again:
                os.write(again, b"22\n3\n")
        assert piped.sent() == ["3"]
        assert running.wait() == 0, "".join(running.lines)
    told = [line for line in running.lines if "the worker before this one" in line]
    assert len(told) == 1, told
    assert f"the lines of '{piped.into}' that the worker before this one had read and not sent are lost" in told[0]
    assert restarts(json.loads(piped.report.read_text()), "source") == 1


def test_lines_are_numbered_anew_after_a_restart(piped: Piped) -> None:
    with piped.start("json", retry={"max_attempts": 1, "backoff": "0s"}) as running:
        with piped.writer() as writer:
            os.write(writer, b"1\n")
            assert piped.next_sent() == "1"
            piped.kill_source(running)
            with piped.writer() as again:
                os.write(again, b"2\n3\nno value\n")
        assert running.wait() == 1
    assert any(f"line 2, counted from the restart, of '{piped.into}' is not JSON" in line for line in running.lines)
