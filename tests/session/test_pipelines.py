"""Whole pipelines through the command line: what goes in comes out, wherever the nodes run."""

from __future__ import annotations

import json

import pytest
from conftest import SINK, Project, node


@pytest.mark.parametrize("container", [False, True], ids=["process", "container"])
def test_a_chain_delivers_everything_in_order(project: Project, container: bool) -> None:
    project.chain(node("count", "Count", params={"n": 100}), node("shout", "Shout", container=container), SINK)
    result = project.run()
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.partition("!")[0] for line in lines] == [str(i) for i in range(100)]


def test_process_container_and_native_nodes_share_a_pipeline(project: Project) -> None:
    project.chain(
        node("count", "Count"),  # host process
        node("three11", "Shout", container=True),
        node("three10", "Shout", docker={"python_version": "3.10"}),
        node("three9", "Shout", docker={"python_version": "3.9"}),
        SINK,  # native
    )
    result = project.run()
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [f"{i}!3.11!3.10!3.9" for i in range(10)]


def test_fan_out_and_fan_in_deliver_to_everyone(project: Project) -> None:
    project.write(
        [node("count", "Count"), node("left", "Shout"), node("right", "Pass"), SINK],
        [("count", "left"), ("count", "right"), ("left", "sink"), ("right", "sink")],
    )
    result = project.run()
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert sorted(line for line in lines if "!" not in line) == sorted(str(i) for i in range(10))
    assert len(lines) == 20


def test_an_empty_stream_ends(project: Project) -> None:
    project.chain(node("count", "Count", params={"n": 0}), node("pass", "Pass"), SINK)
    result = project.run()
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_equal_process_ids_in_containers_do_not_clash(project: Project) -> None:
    """Workers with the same process id in their own namespaces read one output, and neither has a network (FR-006)."""
    project.write(
        [
            node("count", "Count", params={"n": 3}),
            node("a", "Ids", container=True),
            node("b", "Ids", container=True),
            SINK,
        ],
        [("count", "a"), ("count", "b"), ("a", "sink"), ("b", "sink")],
    )
    # Which id a worker gets depends on what its agent started before, so that it may take some runs until they meet.
    for _ in range(20):
        result = project.run()
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        assert len(lines) == 6
        assert {line.split(" ", 1)[1] for line in lines} == {"1000 ['lo']"}
        if len(set(lines)) == 1:
            return
    pytest.fail("the process ids never met")


def test_logs_of_every_stream_reach_the_terminal(project: Project) -> None:
    project.chain(node("count", "Count", params={"n": 2}), node("talk", "Talk"), SINK)
    result = project.run()
    for number in range(2):
        for stream in ("stdout", "stderr", "logging"):
            assert f"[talk] to {stream} {number}" in result.stderr


@pytest.mark.parametrize("container", [False, True], ids=["process", "container"])
def test_a_nodes_own_python_path_comes_behind_the_sdk(project: Project, container: bool) -> None:
    docker = {"python_version": "3.11", "env": {"PYTHONPATH": "/somewhere"}}
    project.chain(node("count", "Count", params={"n": 1}), node("path", "Path", docker=docker), SINK)
    result = project.run("--placement", "declared" if container else "process")
    assert (result.returncode, result.stdout) == (0, "/somewhere\n"), result.stderr


def test_the_report_accounts_for_every_message(project: Project) -> None:
    project.chain(node("count", "Count", params={"n": 50}), node("pass", "Pass"), SINK)
    report_file = project.folder / "report.json"
    result = project.run("--report", str(report_file))
    assert result.returncode == 0, result.stderr
    report = json.loads(report_file.read_text())
    for edge in report["edges"]:
        assert (edge["sent"], edge["delivered"], edge["acknowledged"], edge["lost"]) == (50, 50, 50, 0)
    handled = {entry["id"]: entry["messages"] for entry in report["nodes"]}
    assert handled == {"count": 0, "pass": 50, "sink": 50}
    assert report["failure"] is None


def test_sessions_have_ids_of_their_own(project: Project) -> None:
    project.chain(node("count", "Count", params={"n": 1}), SINK)
    report_file = project.folder / "report.json"
    sessions = set()
    for _ in range(3):
        assert project.run("--report", str(report_file)).returncode == 0
        sessions.add(json.loads(report_file.read_text())["session"])
    assert len(sessions) == 3


def test_placement_process_runs_container_nodes_on_the_host(project: Project) -> None:
    project.chain(node("count", "Count"), node("shout", "Shout", docker={"python_version": "3.10"}), SINK)
    result = project.run("--placement", "process")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [f"{i}!3.10" for i in range(10)]
