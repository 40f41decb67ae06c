"""What an edge promises, and what becomes of a pipeline when a node fails for good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import SINK, Project, docker, node, penstock

PLACES = pytest.mark.parametrize("container", [False, True], ids=["process", "container"])

CONTRACTS = '''
import os, signal, threading
from collections.abc import Iterator
from pathlib import Path
import penstock
from penstock import Text


class Numbers(penstock.Node):
    """params["n"] of them, or until it is stopped; fails at params["at"] if that is given."""

    def setup(self, params: dict) -> None:
        self.n, self.at = params.get("n"), params.get("at")

    def process(self) -> Iterator[Text]:
        i = 0
        while i != self.n and not self.stop_requested:
            if i == self.at:
                os._exit(3)
            yield Text(str(i))
            i += 1


class Greedy(penstock.Node):
    """Sends more than one for each, whatever comes of it."""

    def process(self, text: Text) -> None:
        for _ in range(50):
            try:
                self.emit("out", text)
            except penstock.PenstockError as error:
                print("went on after", type(error).__name__, flush=True)

    outputs = {"out": Text}


class Waits(penstock.Node):
    """Handles a message once the file params["for"] is there, which never comes unless somebody makes it."""

    def setup(self, params: dict) -> None:
        self.file = Path(params["for"])
        print("pid", os.getpid(), flush=True)

    def process(self, text: Text) -> Text:
        while not self.file.exists():
            print("waiting", flush=True)
            threading.Event().wait(0.05)
        return text


class Stuck(penstock.Node):
    """Is stuck at its third message, the first time."""

    def setup(self, params: dict) -> None:
        self.marker = Path(params["marker"])

    def process(self, text: Text) -> Text:
        if text.text == "3" and not self.marker.exists():
            self.marker.touch()
            threading.Event().wait()
        return text


class Pass(penstock.Node):
    def process(self, text: Text) -> Text:
        return text


class Fails(penstock.Node):
    """At every message from params["at"] on, in the way that params["how"] says."""

    def setup(self, params: dict) -> None:
        self.how, self.at, self.marker = params["how"], params.get("at", 3), Path(params.get("marker", ""))
        print("pid", os.getpid(), flush=True)
        if self.how == "setup" and self.marker.exists():
            raise FileNotFoundError("model.onnx")
        if self.how == "start":
            raise FileNotFoundError("model.onnx")

    def process(self, text: Text) -> Text:
        if int(text.text) >= self.at:
            if self.how == "setup":
                self.marker.touch()
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "hang":
                threading.Event().wait()
            if self.how == "unlink":
                self.marker.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "wait":
                print("waiting", flush=True)
                threading.Event().wait()
            raise ValueError("no such word")
        return text


class Lines(penstock.Node):
    def setup(self, params: dict) -> None:
        self.file, self.count = open(params["file"], "a", buffering=1), 0
        self.tell = params.get("tell", 1000)

    def process(self, text: Text) -> None:
        self.file.write(text.text + "\\n")
        self.count += 1
        if self.count % self.tell == 0:
            print("lines:", self.count, flush=True)
'''


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "nodes.py").write_text(CONTRACTS)
    tmp_path.chmod(0o755)
    return Project(tmp_path)


def numbers(n: int | None = None, **params: Any) -> dict[str, Any]:
    return node("source", "Numbers", params={**({} if n is None else {"n": n}), **params})


def fails(how: str, container: bool = False, **more: Any) -> dict[str, Any]:
    return node("fragile", "Fails", container=container, params={"how": how, **more.pop("params", {})}, **more)


def report_of(project: Project) -> dict[str, Any]:
    return json.loads((project.folder / "report.json").read_text())  # type: ignore[no-any-return]


def edge_of(project: Project, consumer: str) -> dict[str, Any]:
    edges = report_of(project)["edges"]
    return next(edge for edge in edges if f"->{consumer}." in edge["id"])  # type: ignore[no-any-return]


def run(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return project.run("--report", str(project.folder / "report.json"), *arguments)


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines()


# --- what is lost


def test_what_a_full_queue_dropped_is_an_error_under_strict_loss_and_the_edge_is_named(project: Project) -> None:
    go = project.folder / "go"
    project.write(
        [
            numbers(200),
            node("slow", "Waits", params={"for": str(go)}),
            node("fast", "Lines", params={"file": str(project.folder / "lines"), "tell": 200}),
            SINK,
        ],
        [
            {"from": "source", "to": "slow", "policy": "drop_oldest", "depth": 4},
            ("source", "fast"),
            ("slow", "sink"),
        ],
    )
    with project.start("--strict-loss", "--report", str(project.folder / "report.json")) as running:
        running.read_until("[fast] lines: 200")  # the other one has no more than it could take meanwhile
        go.touch()
        code = running.wait()
    lost = edge_of(project, "slow")["lost"]
    assert code == 4 and lost > 0
    said = "".join(running.lines)
    assert f"edge source.out->slow.in (drop_oldest) lost {lost} of 200 messages" in said
    assert "source.out->fast.in" not in said[said.index("messages were lost") :]


def test_a_pipeline_that_loses_nothing_passes_under_strict_loss(project: Project) -> None:
    project.chain(numbers(500), node("pass", "Pass"), SINK)
    done = run(project, "--strict-loss")
    assert done.returncode == 0, done.stderr
    for edge in report_of(project)["edges"]:
        assert edge["sent"] == edge["delivered"] == 500
        assert edge["lost"] == edge["in_flight"] == 0


def test_messages_that_were_under_way_when_everything_was_ended_at_once_are_not_delivered(project: Project) -> None:
    project.chain(numbers(), node("slow", "Waits", params={"for": "/nowhere"}), SINK)
    with project.start("--strict-loss", "--report", str(project.folder / "report.json")) as running:
        running.read_until("[slow] waiting")
        session = running.lines[next(i for i, line in enumerate(running.lines) if line.startswith("session "))]
        assert penstock("stop", "--now", session.split()[1]).returncode == 0
        assert running.wait() == 4
    edge = edge_of(project, "slow")
    assert edge["sent"] == edge["delivered"] + edge["lost"] + edge["in_flight"]
    assert edge["in_flight"] > 0
    assert f"edge source.out->slow.in did not deliver {edge['in_flight']} of" in "".join(running.lines)


# --- contracts


def test_an_edge_that_fails_when_it_is_full_ends_the_session_whatever_the_node_makes_of_it(project: Project) -> None:
    project.write(
        [numbers(1), node("greedy", "Greedy"), node("slow", "Waits", params={"for": "/nowhere"})],
        [("source", "greedy"), {"from": "greedy", "to": "slow", "policy": "fail", "depth": 8}],
    )
    done = run(project)
    assert done.returncode == 1
    assert "node 'greedy' cannot send: edge 'greedy.out->slow.in' overflowed at message 8" in done.stderr
    assert "its consumer has 8 messages unacknowledged (depth 8); raise its depth" in done.stderr


def test_an_overflow_ends_the_session_though_its_producer_may_be_left_out(project: Project) -> None:
    project.write(
        [numbers(1), node("greedy", "Greedy", on_failure="skip"), node("slow", "Waits", params={"for": "/nowhere"})],
        [("source", "greedy"), {"from": "greedy", "to": "slow", "policy": "fail", "depth": 8}],
    )
    done = run(project)
    assert done.returncode == 1
    assert "node 'greedy' cannot send: edge 'greedy.out->slow.in' overflowed" in done.stderr


def test_an_edge_that_fails_when_it_is_full_loses_nothing_while_it_is_not(project: Project) -> None:
    file = project.folder / "lines"
    project.write(
        [numbers(100), node("last", "Lines", params={"file": str(file)})],
        [{"from": "source", "to": "last", "policy": "fail", "depth": 100}],
    )
    done = run(project, "--strict-loss")
    assert done.returncode == 0, done.stderr
    assert lines_of(file) == [str(i) for i in range(100)]


@PLACES
def test_a_message_in_hands_at_most_once_is_not_handled_again(project: Project, container: bool) -> None:
    go, file = project.folder / "go", project.folder / "lines"
    project.write(
        [
            numbers(20),
            node("waits", "Waits", container=container, params={"for": "/app/go" if container else str(go)}, retry={}),
            node("last", "Lines", params={"file": str(file)}),
        ],
        [{"from": "source", "to": "waits", "delivery": "at_most_once"}, ("waits", "last")],
    )
    with project.start("--report", str(project.folder / "report.json")) as running:
        running.read_until("[waits] waiting")
        os.kill(worker_of(running, "waits"), signal.SIGKILL)
        running.read_until("node runs again")
        go.touch()
        assert running.wait() == 0, "".join(running.lines)
    assert lines_of(file) == [str(i) for i in range(1, 20)]
    edge = edge_of(project, "waits")
    assert (edge["sent"], edge["delivered"], edge["lost"], edge["redelivered"]) == (20, 20, 0, 0)


def worker_of(running: Any, name: str) -> int:
    """The host's pid of a node's worker."""
    session = next(line for line in running.lines if line.startswith("session ")).split()[1]
    labels = [f"label=penstock.session={session}", f"label=penstock.node={name}"]
    container = docker("ps", "-q", "--filter", labels[0], "--filter", labels[1]).strip()
    if not container:
        line = next(line for line in reversed(running.lines) if line.startswith(f"[{name}] pid "))
        return int(line.rpartition(" ")[2])
    processes = docker("top", container, "-eo", "pid,args").splitlines()
    return int(next(line.split()[0] for line in processes if "penstock.worker" in line))


# --- deadlines


def test_a_consumer_that_makes_no_room_in_time_is_named_with_where_it_is(project: Project) -> None:
    project.write(
        [numbers(), node("stuck", "Stuck", params={"marker": str(project.folder / "marker")}), SINK],
        [{"from": "source", "to": "stuck", "deadline": "500ms"}, ("stuck", "sink")],
    )
    done = run(project)
    assert done.returncode == 1
    assert "node 'stuck' did not make room on edge source.out->stuck.in within 0.5 s" in done.stderr
    assert "raise the deadline of edge source.out->stuck.in" in done.stderr
    assert "in process" in done.stderr  # the interpreter's stack


def test_who_holds_up_others_is_named_and_not_those_who_wait(project: Project) -> None:
    project.write(
        [
            numbers(),
            node("pass", "Pass"),
            node("stuck", "Stuck", params={"marker": str(project.folder / "marker")}),
            SINK,
        ],
        [{"from": "source", "to": "pass", "deadline": "500ms"}, ("pass", "stuck"), ("stuck", "sink")],
    )
    done = run(project)
    assert done.returncode == 1
    assert (
        "node 'stuck' did not make room on edge pass.out->stuck.in, which holds up edge source.out->pass.in, within"
        in done.stderr
    )


def test_a_consumer_that_made_no_room_is_restarted_and_nothing_is_lost(project: Project) -> None:
    file, marker = project.folder / "lines", project.folder / "marker"
    project.write(
        [
            numbers(200),
            node("stuck", "Stuck", params={"marker": str(marker)}, on_failure="restart"),
            node("last", "Lines", params={"file": str(file)}),
        ],
        [{"from": "source", "to": "stuck", "deadline": "500ms"}, ("stuck", "last")],
    )
    done = run(project, "--strict-loss")
    assert done.returncode == 0, done.stderr
    assert lines_of(file) == [str(i) for i in range(200)]


# --- nodes that are left out


@PLACES
@pytest.mark.parametrize("how", ["exception", "kill"])
def test_a_node_that_fails_is_left_out_and_the_others_go_on(project: Project, how: str, container: bool) -> None:
    good, bad = project.folder / "good", project.folder / "bad"
    project.write(
        [
            numbers(300),
            fails(how, container, on_failure="skip"),
            node("after", "Lines", params={"file": str(bad)}),
            node("last", "Lines", params={"file": str(good)}),
        ],
        [("source", "fragile"), ("fragile", "after"), ("source", "last")],
    )
    done = run(project)
    assert done.returncode == 0, done.stderr
    assert lines_of(good) == [str(i) for i in range(300)]
    assert lines_of(bad) == ["0", "1", "2"]
    assert "penstock: node 'fragile' is left out: the session goes on without it" in done.stderr
    assert "node 'fragile' was left out: " in done.stderr
    fragile = next(each for each in report_of(project)["nodes"] if each["id"] == "fragile")
    assert "fragile" in fragile["left_out"]
    edge = edge_of(project, "fragile")
    assert edge["sent"] == 300
    assert edge["in_flight"] == 300 - edge["delivered"] > 0


def test_what_a_node_that_was_left_out_did_not_get_counts_under_strict_loss(project: Project) -> None:
    project.chain(numbers(50), fails("exception", on_failure="skip"), SINK)
    done = run(project, "--strict-loss")
    assert done.returncode == 4
    assert "edge source.out->fragile.in did not deliver 46 of 50 messages: its consumer was left out" in done.stderr
    assert (
        "edge source.out->fragile.in delivered 1 message that node 'fragile' has not handled to the end" in done.stderr
    )


def test_a_last_message_in_the_hands_of_a_node_that_was_left_out_counts_under_strict_loss(project: Project) -> None:
    project.chain(numbers(4), fails("exception", on_failure="skip"), SINK)
    done = run(project, "--strict-loss")
    assert done.returncode == 4
    assert "did not deliver" not in done.stderr
    assert (
        "edge source.out->fragile.in delivered 1 message that node 'fragile' has not handled to the end" in done.stderr
    )


def test_a_node_with_a_retry_is_left_out_when_that_is_used_up(project: Project) -> None:
    project.chain(numbers(50), fails("kill", on_failure="skip", retry={"max_attempts": 2, "backoff": 0}), SINK)
    done = run(project)
    assert done.returncode == 0, done.stderr
    fragile = next(each for each in report_of(project)["nodes"] if each["id"] == "fragile")
    assert fragile["restarts"] > 0 and fragile["left_out"]


def test_a_node_whose_setup_fails_in_a_restart_is_left_out_at_once(project: Project) -> None:
    marker = str(project.folder / "marker")
    project.chain(numbers(50), fails("setup", on_failure="skip", retry={}, params={"marker": marker}), SINK)
    done = run(project)
    assert done.returncode == 0, done.stderr
    fragile = next(each for each in report_of(project)["nodes"] if each["id"] == "fragile")
    assert fragile["restarts"] == 1
    assert "failed in its setup" in fragile["left_out"]


def test_a_node_whose_interpreter_is_gone_in_a_restart_is_left_out(project: Project) -> None:
    python, good = project.folder / "python", project.folder / "good"
    python.symlink_to(sys.executable)
    project.write(
        [
            numbers(300),
            node(
                "fragile",
                "Fails",
                python=str(python),
                params={"how": "unlink", "marker": str(python)},
                on_failure="skip",
                retry={},
            ),
            SINK,
            node("last", "Lines", params={"file": str(good)}),
        ],
        [("source", "fragile"), ("fragile", "sink"), ("source", "last")],
    )
    done = run(project)
    assert done.returncode == 0, done.stderr
    assert lines_of(good) == [str(i) for i in range(300)]
    fragile = next(each for each in report_of(project)["nodes"] if each["id"] == "fragile")
    assert "could not be started" in fragile["left_out"]


def test_a_node_that_never_came_up_ends_the_session(project: Project) -> None:
    project.chain(numbers(50), fails("start", on_failure="skip"), SINK)
    done = run(project)
    assert done.returncode == 1
    assert "node 'fragile' failed in its setup" in done.stderr


def test_the_streams_of_a_source_that_is_left_out_end(project: Project) -> None:
    file = project.folder / "lines"
    project.chain(numbers(50, at=20) | {"on_failure": "skip"}, node("last", "Lines", params={"file": str(file)}))
    done = run(project, "--strict-loss")
    assert done.returncode == 0, done.stderr
    assert lines_of(file) == [str(i) for i in range(20)]


def test_a_container_that_is_removed_is_left_out(project: Project) -> None:
    good = project.folder / "good"
    project.write(
        [
            numbers(),
            fails("wait", True, on_failure="skip"),
            node("last", "Lines", params={"file": str(good)}),
            SINK,
        ],
        [("source", "fragile"), ("source", "last"), ("fragile", "sink")],
    )
    with project.start("--report", str(project.folder / "report.json")) as running:
        running.read_until("[fragile] waiting")
        session = next(line for line in running.lines if line.startswith("session ")).split()[1]
        container = docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip()
        docker("rm", "-f", container)
        running.read_until("node 'fragile' is left out")
        assert docker("ps", "-aq", "--filter", f"id={container}") == ""
        for _ in range(2):  # more than may wait: the source is not held up any more
            running.read_until("[last] lines:")
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130, "".join(running.lines)
    edge = edge_of(project, "last")
    assert edge["sent"] == edge["delivered"] == len(lines_of(good))
