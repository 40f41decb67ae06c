"""What `penstock ps` says of nodes that stand still."""

from __future__ import annotations

import json
import signal
from typing import Any

from conftest import SINK, Project, Running, node, penstock


def shown(session: str) -> dict[str, Any]:
    sessions = json.loads(penstock("ps", "--json").stdout)["sessions"]
    return next(each for each in sessions if each["session"] == session)  # type: ignore[no-any-return]


def nodes_of(session: str) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in shown(session)["nodes"]}


def session_of(running: Running) -> str:
    return running.read_until("session ").split()[1]


def ps_until(text: str, session: str) -> str:
    """What it shows of the session, once `text` is in it."""
    while text not in (told := penstock("ps").stdout.partition(session)[2].partition("\n\n")[0]):
        pass
    return told


def test_who_hangs_and_who_waits_for_it_are_told_apart(project: Project) -> None:
    project.chain(
        node("count", "Count", params={"n": 100}),
        node("pass", "Pass"),
        node("crash", "Crash", params={"how": "hang"}),
        SINK,
    )
    with project.start() as running:
        session = session_of(running)
        running.read_until("[crash] hanging")
        told = ps_until("node 'count' has waited", session)
        nodes = nodes_of(session)
    assert "node 'crash' has been handling message 3 of edge pass.out->crash.in for " in told
    assert " s for node 'crash' to make room on edge pass.out->crash.in" in told
    assert " s for node 'pass' to make room on edge count.out->pass.in" in told
    handling = nodes["crash"]["handling"]
    assert (handling["edge"], handling["message"]) == ("pass.out->crash.in", 3)
    waits = [nodes[name]["waits_for"][0]["for_s"] for name in ("pass", "count")]
    assert min(handling["for_s"], *waits) > 1
    assert nodes["crash"]["waits_for"] == nodes["sink"]["waits_for"] == []
    assert nodes["sink"]["handling"] is None
    assert all(each["restarting"] is None for each in nodes.values())


def test_a_node_that_is_being_restarted_is_told_with_how_far_that_is(project: Project) -> None:
    project.chain(
        node("count", "Count"),
        node("crash", "Crash", params={"how": "exception"}, retry={"max_attempts": 5, "backoff": "1h"}),
        SINK,
    )
    with project.start() as running:
        session = session_of(running)
        running.read_until("(restart 2)")
        ps_until("node 'crash' is being restarted (restart 2), for ", session)
        crash = nodes_of(session)["crash"]
    assert crash["restarting"]["for_s"] > 0
    assert crash["restarting"]["step"] in ("its old worker ends", "its backoff passes")
    assert crash["handling"] is None, "that was its old worker"


def test_a_runtime_that_is_stopped_is_named_by_its_process(project: Project) -> None:
    project.chain(node("endless", "Endless"), SINK)
    with project.start() as running:
        session = session_of(running)
        pid = running.process.pid
        running.process.send_signal(signal.SIGSTOP)
        told, silent = penstock("ps").stdout, shown(session)
        running.process.send_signal(signal.SIGCONT)
    assert f"its runtime, process {pid}, is stopped: 'kill -CONT {pid}' has it go on" in told
    assert (silent["pid"], silent["phase"]) == (pid, "does not answer")
