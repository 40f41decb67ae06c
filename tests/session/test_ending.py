"""Interrupts, and a runtime that is killed: in order when asked, nothing left behind in any case."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import DEADLINE, PENSTOCK, SINK, Project, docker, node, penstock, wait_gone


def endless(project: Project, container: bool = False) -> None:
    project.chain(node("count", "Endless"), node("pass", "Pass", container=container), SINK)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda how: how.name)
def test_an_interrupt_ends_the_source_and_handles_what_is_in_flight(project: Project, how: signal.Signals) -> None:
    endless(project)
    report = project.folder / "report.json"
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where tests run under nohup; inherited
    try:
        run = project.start("--report", str(report))
    finally:
        signal.signal(signal.SIGHUP, before)
    with run:
        run.pid_of("count")
        run.process.send_signal(how)
        assert run.wait() == 130
    text = report.read_text()
    assert '"failure": null' in text
    for edge in json.loads(text)["edges"]:
        assert edge["sent"] == edge["acknowledged"]


def test_a_second_interrupt_ends_a_hanging_pipeline_at_once(project: Project) -> None:
    project.chain(node("count", "Count", params={"n": 10}), node("crash", "Crash", params={"how": "hang"}), SINK)
    with project.start() as run:
        pidfd = os.pidfd_open(run.pid_of("crash"))
        run.read_until("[crash] hanging")
        # A pending signal absorbs another of its kind, which two keystrokes of a person are too slow for.
        run.process.send_signal(signal.SIGINT)
        run.process.send_signal(signal.SIGTERM)
        assert run.wait() == 130
        wait_gone(pidfd)
        os.close(pidfd)


def test_a_node_that_hangs_after_an_interrupt_is_named_with_its_message(project: Project) -> None:
    project.chain(node("count", "Count", params={"n": 10}), node("crash", "Crash", params={"how": "hang"}), SINK)
    with project.start() as run:
        pidfd = os.pidfd_open(run.pid_of("crash"))
        run.read_until("[crash] hanging")
        run.process.send_signal(signal.SIGINT)
        line = run.read_until("still waiting for ")
        assert re.search(
            r"warning: still waiting for node 'crash', which has been handling message 3 of edge count.out->crash.in "
            r"for \d+\.\d s; a second Ctrl-C, or 'penstock stop --now', ends everything at once$",
            line,
        ), line
        run.process.send_signal(signal.SIGINT)
        assert run.wait() == 130
        wait_gone(pidfd)
        os.close(pidfd)


def test_a_source_that_does_not_end_after_an_interrupt_is_named(project: Project) -> None:
    project.chain(node("deaf", "Deaf"), SINK)
    with project.start() as run:
        run.read_until("[deaf] deaf")
        run.process.send_signal(signal.SIGINT)
        assert "still waiting for node 'deaf'" in run.read_until("still waiting for ")
        run.process.send_signal(signal.SIGINT)
        assert run.wait() == 130


def test_a_hang_up_that_is_to_be_ignored_is(project: Project) -> None:
    project.chain(node("source", "Endless"), node("talk", "Talk"), SINK)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does; inherited
    try:
        running = project.start()
    finally:
        signal.signal(signal.SIGHUP, before)
    with running:
        running.read_until("[talk] to stdout")
        running.process.send_signal(signal.SIGHUP)
        for _ in range(200):  # more than could be under way
            running.read_until("[talk] to stdout")
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130


def test_a_report_that_cannot_be_written_is_told_before_anything_starts(project: Project) -> None:
    project.chain(node("count", "Count"), SINK)
    result = project.run("--report", "/nonexistent/report.json")
    assert result.returncode == 3
    assert result.stderr.startswith("penstock: error: cannot write the report to '/nonexistent/report.json'")
    assert "No such file or directory" in result.stderr
    assert result.stdout == ""


def test_an_interrupt_after_a_source_has_ended_is_no_failure(project: Project) -> None:
    project.write(
        [node("count", "Count", params={"n": 1}), node("endless", "Endless"), SINK],
        [("count", "sink"), ("endless", "sink")],
    )
    with project.start() as run:
        run.pid_of("endless")
        run.process.send_signal(signal.SIGINT)
        assert run.wait() == 130
        assert not any("error" in line for line in run.lines)


def test_a_node_that_prints_without_end_can_be_interrupted(project: Project) -> None:
    project.chain(node("chatter", "Chatter"), SINK)
    with project.start() as run:
        run.read_until("[chatter] ")
        run.process.send_signal(signal.SIGINT)
        assert run.wait() == 130


def test_a_killed_runtime_leaves_no_process(project: Project) -> None:
    endless(project)
    with project.start() as run:
        pidfd = os.pidfd_open(run.pid_of("count"))
        run.process.kill()
        wait_gone(pidfd)
        os.close(pidfd)


def test_a_killed_runtime_leaves_only_a_record_that_the_next_command_removes(project: Project) -> None:
    endless(project, container=True)
    with project.start() as run:
        session = run.read_until("session ").split()[1]
        label = f"label=penstock.session={session}"
        container = docker("ps", "-q", "--filter", label).strip()
        assert container
        run.process.kill()
        docker("wait", container)
    assert docker("ps", "-q", "--filter", label) == ""
    assert penstock("version").returncode == 0
    assert docker("ps", "-aq", "--filter", label) == ""


def test_nothing_is_left_after_a_run(project: Project) -> None:
    project.chain(node("count", "Count"), node("pass", "Pass", container=True), SINK)
    report = project.folder / "report.json"
    result = project.run("--report", str(report))
    assert result.returncode == 0, result.stderr
    session = json.loads(report.read_text())["session"]
    assert docker("ps", "-aq", "--filter", f"label=penstock.session={session}") == ""


def test_output_that_cannot_be_written_ends_the_streams_and_is_an_error(project: Project) -> None:
    project.chain(node("endless", "Endless"), SINK)
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [str(PENSTOCK), "run", str(project.manifest)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    assert result.returncode == 3
    assert "error: cannot write the pipeline's output to stdout: No space left" in result.stderr
    assert "cannot write the pipeline's output to stdout, so that some of it is lost: No space left" in result.stderr
