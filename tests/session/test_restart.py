"""A node that fails is started again, and its pipeline loses nothing by it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import SINK, Project, docker, node, penstock

PLACES = pytest.mark.parametrize("container", [False, True], ids=["process", "container"])

OFTEN = {"max_attempts": 100, "backoff": "0s"}

FRAGILE = '''
import ctypes, os, signal, sys, threading
from collections.abc import Iterator
import penstock
from penstock import Text


class Fragile(penstock.Node):
    """Sends two texts for each, and fails between them at params["at"]: once, as a file remembers, or always."""

    def setup(self, params: dict) -> None:
        self.how, self.at, self.marker = params.get("how", ""), str(params.get("at", 3)), params.get("marker", "")
        print("pid", os.getpid(), flush=True)
        if self.how == "setup" and os.path.exists(self.marker):
            raise FileNotFoundError("model.onnx")
        if self.how == "setup exit" and os.path.exists(self.marker):
            os._exit(4)

    def fail(self) -> None:
        if self.marker:
            if os.path.exists(self.marker):
                return
            open(self.marker, "w").close()
        if self.how in ("exception", "setup", "setup exit"):
            raise ValueError("no such word")
        if self.how == "exit":
            os._exit(3)
        if self.how == "segfault":
            ctypes.string_at(0)
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "hang":
            print("hanging", flush=True)
            threading.Event().wait()

    def process(self, text: Text) -> Iterator[Text]:
        yield Text(text.text + "a")
        if self.at in (text.text, "every"):
            self.fail()
        yield Text(text.text + "b")


class Unlucky(penstock.Node):
    """Fails once at 1, once at 2, and always at 3."""

    def setup(self, params: dict) -> None:
        self.marker = params["marker"]

    def process(self, text: Text) -> Text:
        marker = self.marker + text.text
        if text.text == "3" or (text.text in "12" and not os.path.exists(marker)):
            open(marker, "w").close()
            raise ValueError("no such word")
        return text


class Last(penstock.Node):
    """Counts, tells the count at the end in two texts, and fails between them once."""

    def setup(self, params: dict) -> None:
        self.marker, self.seen = params["marker"], 0

    def process(self, text: Text) -> None:
        self.seen += 1

    def finish(self) -> Iterator[Text]:
        yield Text("first")
        if not os.path.exists(self.marker):
            open(self.marker, "w").close()
            os._exit(3)
        yield Text("second")


class Pair(penstock.Node):
    """Two inputs into one output."""

    def on_left(self, text: Text) -> Text:
        return Text("l" + text.text)

    def on_right(self, text: Text) -> Text:
        return Text("r" + text.text)


class Numbers(penstock.Node):
    """params["n"] of them, or until it is stopped."""

    def setup(self, params: dict) -> None:
        self.n = params.get("n", sys.maxsize)

    def process(self) -> Iterator[Text]:
        for i in range(self.n):
            if self.stop_requested:
                return
            yield Text(str(i))


class Plus(penstock.Node):
    """Passes a text on, and says who it is."""

    def setup(self, params: dict) -> None:
        print("pid", os.getpid(), flush=True)

    def process(self, text: Text) -> Text:
        return Text(text.text)


class Slow(penstock.Node):
    """Two inputs, handled more slowly than they come."""

    def setup(self, params: dict) -> None:
        print("pid", os.getpid(), flush=True)
        self.n = 0

    def handle(self, text: Text) -> None:
        threading.Event().wait(0.002)
        self.n += 1
        if self.n == 50:
            print("handled", self.n, flush=True)

    def on_left(self, text: Text) -> None:
        self.handle(text)

    def on_right(self, text: Text) -> None:
        self.handle(text)


class Model(penstock.Node):
    @classmethod
    def load(cls, params: dict) -> None:
        print("loaded in", os.getpid(), flush=True)

    def setup(self, params: dict) -> None:
        self.marker = params["marker"]

    def process(self, text: Text) -> Text:
        if text.text == "3" and not os.path.exists(self.marker):
            open(self.marker, "w").close()
            raise ValueError("no such word")
        return text
'''


@pytest.fixture
def fragile(project: Project) -> Project:
    (project.folder / "nodes.py").write_text(FRAGILE)
    return project


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own."""
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


def marker(project: Project, container: bool) -> str:
    # What a worker writes to /tmp of its container stays while the container does.
    return "/tmp/marker" if container else str(project.folder / "marker")


def run(project: Project) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    result = project.run("--report", str(project.folder / "report.json"))
    return result, json.loads((project.folder / "report.json").read_text())


def check_accounts(report: dict[str, Any]) -> None:
    for edge in report["edges"]:
        assert edge["sent"] == edge["delivered"] == edge["acknowledged"], edge
        assert edge["lost"] == 0, edge


def edge(report: dict[str, Any], id: str) -> dict[str, Any]:
    return next(edge for edge in report["edges"] if edge["id"] == id)


def restarts(report: dict[str, Any], id: str) -> int:
    return int(next(node["restarts"] for node in report["nodes"] if node["id"] == id))


def doubled(n: int) -> list[str]:
    return [f"{i}{half}" for i in range(n) for half in "ab"]


@PLACES
@pytest.mark.parametrize("how", ["exception", "exit", "segfault", "kill"])
def test_what_was_in_its_hands_is_handled_again_and_nothing_is_sent_twice(
    fragile: Project, how: str, container: bool
) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 20}),
        node(
            "crash",
            "Fragile",
            container=container,
            params={"how": how, "marker": marker(fragile, container)},
            on_failure="restart",
        ),
        SINK,
    )
    result, report = run(fragile)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == doubled(20)
    assert "penstock: node 'crash' is restarted at once (restart 1)" in result.stderr
    check_accounts(report)
    assert restarts(report, "crash") == 1
    assert edge(report, "count.out->crash.in")["redelivered"] == 1
    assert edge(report, "crash.out->sink.in")["suppressed"] == 1


def test_a_container_that_is_killed_is_replaced(fragile: Project) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 50}),
        node("crash", "Fragile", container=True, params={"how": "hang", "at": 20, "marker": "/tmp/m"}, retry={}),
        SINK,
    )
    with fragile.start("--report", str(fragile.folder / "report.json")) as running:
        session = running.read_until("session ").split()[1]
        running.read_until("[crash] hanging")
        first = docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip()
        docker("kill", first)
        running.read_until("penstock: node 'crash' is restarted at once")
        # The file that remembers is gone with the container: it hangs again, in another one.
        running.read_until("[crash] hanging")
        second = docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip()
        assert second and second != first
        os.kill(worker_in(second), signal.SIGKILL)
        assert running.wait() == 0, "".join(running.lines)
    report = json.loads((fragile.folder / "report.json").read_text())
    check_accounts(report)
    assert restarts(report, "crash") == 2
    assert edge(report, "crash.out->sink.in")["delivered"] == 100
    assert docker("ps", "-aq", "--filter", f"label=penstock.session={session}") == ""


def test_who_ended_a_container_is_told_at_every_restart(fragile: Project) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 50}),
        node("crash", "Fragile", container=True, params={"how": "hang", "at": 20, "marker": "/tmp/m"}, retry=OFTEN),
        SINK,
    )
    with fragile.start() as running:
        session = running.read_until("session ").split()[1]
        for how in ("kill", "stop", "kill"):
            running.read_until("[crash] hanging")
            docker(how, docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip())
        running.read_until("[crash] hanging")
        last = docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip()
        os.kill(worker_in(last), signal.SIGKILL)
        assert running.wait() == 0, "".join(running.lines)
    output = "".join(running.lines)
    assert output.count("somebody had the engine send it signal 9 (SIGKILL)") == 2, output
    assert output.count("somebody had the engine send it signal 15 (SIGTERM)") == 1, output


def test_a_container_that_is_stopped_is_replaced(fragile: Project) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 50}),
        node("crash", "Fragile", container=True, params={"how": "hang", "at": 20, "marker": "/tmp/m"}, retry=OFTEN),
        SINK,
    )
    with fragile.start("--report", str(fragile.folder / "report.json")) as running:
        session = running.read_until("session ").split()[1]
        running.read_until("[crash] hanging")
        first = docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip()
        docker("stop", first)
        running.read_until("[crash] hanging")
        second = docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip()
        assert second and second != first
        os.kill(worker_in(second), signal.SIGKILL)
        assert running.wait() == 0, "".join(running.lines)
    report = json.loads((fragile.folder / "report.json").read_text())
    check_accounts(report)
    assert restarts(report, "crash") == 2, "one for the container, one for the worker in the next one"


def worker_in(container: str) -> int:
    """The interpreter's process, as the host counts."""
    lines = docker("top", container, "-eo", "pid,args").splitlines()
    return int(next(line.split()[0] for line in lines if "penstock.worker" in line))


@PLACES
@pytest.mark.parametrize("how", ["exception", "kill"])
def test_a_message_that_fails_at_every_attempt_is_put_into_quarantine_and_the_stream_goes_on(
    fragile: Project, how: str, container: bool, state: Path
) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 8}),
        node(
            "crash", "Fragile", container=container, params={"how": how}, retry={"max_attempts": 2, "backoff": "10ms"}
        ),
        SINK,
    )
    result, report = run(fragile)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [text for text in doubled(8) if text != "3b"], "and what it had sent stays"
    check_accounts(report)
    assert restarts(report, "crash") == 2
    listed = json.loads(penstock("quarantine", "list", "--json").stdout)["messages"]
    assert [(m["node"], m["sequence"], m["edge"]) for m in listed] == [("crash", 3, "count.out->crash.in")]
    assert listed[0]["message"]["payload_bytes"] == 1
    assert len(listed[0]["failures"]) == 2
    assert (
        "message 3 of edge count.out->crash.in is in quarantine, as node 'crash' failed at it 2 times" in result.stderr
    )
    shown = penstock("quarantine", "show", listed[0]["id"][:20]).stdout
    assert "attempt 2:" in shown and "Text of 1 byte\n" in shown
    assert (Path(listed[0]["folder"]) / "message.bin").read_bytes().endswith(b"3")


def test_failures_at_one_message_do_not_use_up_the_restarts_for_others(fragile: Project, state: Path) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 6}),
        node(
            "crash",
            "Unlucky",
            params={"marker": str(fragile.folder / "seen")},
            retry={"max_attempts": 3, "backoff": "10ms"},
        ),
        SINK,
    )
    result, report = run(fragile)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["0", "1", "2", "4", "5"]
    assert restarts(report, "crash") == 5
    listed = json.loads(penstock("quarantine", "list", "--json").stdout)["messages"]
    assert [(m["sequence"], len(m["failures"])) for m in listed] == [(3, 3)]


def test_a_message_in_quarantine_is_tried_again_with_the_node_as_it_is_now(fragile: Project, state: Path) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 5}),
        node("crash", "Fragile", params={"how": "exception"}, retry={"max_attempts": 1}),
        SINK,
    )
    assert fragile.run().returncode == 0
    failed = penstock("quarantine", "replay", "0")
    assert failed.returncode == 1
    assert "ValueError: no such word" in failed.stderr
    nodes = fragile.folder / "nodes.py"
    nodes.write_text(nodes.read_text().replace('raise ValueError("no such word")', "return"))
    mended = penstock("quarantine", "replay", "0")
    assert mended.returncode == 0, mended.stderr
    assert [json.loads(line)["text"] for line in mended.stdout.splitlines()] == ["3a", "3b"]
    assert penstock("quarantine", "remove", "0").returncode == 0
    assert "no message is in quarantine" in penstock("quarantine").stdout


def test_a_node_that_fails_at_every_message_ends_the_session(fragile: Project, state: Path) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 50}),
        node(
            "crash", "Fragile", params={"how": "exception", "at": "every"}, retry={"max_attempts": 2, "backoff": "0s"}
        ),
        SINK,
    )
    result, _ = run(fragile)
    assert result.returncode == 1
    assert (
        "failed while handling message 2 of edge count.out->crash.in: ValueError: no such word; "
        "it had failed at 2 messages within 60 s, as many as its retry puts into quarantine" in result.stderr
    )
    assert len(json.loads(penstock("quarantine", "list", "--json").stdout)["messages"]) == 2


def test_a_disk_without_room_for_the_quarantine_ends_the_session_with_the_reason(fragile: Project, state: Path) -> None:
    (state / "penstock").mkdir()
    (state / "penstock" / "quarantine").write_text("not a folder")
    fragile.chain(
        node("count", "Numbers", params={"n": 5}),
        node("crash", "Fragile", params={"how": "exception"}, retry={"max_attempts": 1}),
        SINK,
    )
    result, _ = run(fragile)
    assert result.returncode == 3
    assert "quarantine" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("how", ["setup", "setup exit"])
def test_a_failure_of_setup_does_not_loop(fragile: Project, how: str) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 5}),
        node("crash", "Fragile", params={"how": how, "marker": marker(fragile, False)}, on_failure="restart"),
        SINK,
    )
    result, report = run(fragile)
    assert result.returncode == 1
    told = {
        "setup": "node 'crash' failed in its setup: FileNotFoundError: model.onnx",
        "setup exit": "node 'crash' exited with code 4 while it was starting",
    }
    assert told[how] in result.stderr
    assert restarts(report, "crash") == 1


@pytest.mark.parametrize("round", range(3))
def test_why_a_successor_failed_is_told_however_soon_it_ends(fragile: Project, round: int) -> None:
    """Its agent, which is busy with the ends of others, may be heard first."""
    names = [f"crash{i}" for i in range(4)]
    fragile.write(
        [
            node("count", "Numbers", params={"n": 5}),
            *(
                node(
                    name,
                    "Fragile",
                    params={"how": "setup", "marker": str(fragile.folder / name)},
                    on_failure="skip",
                    retry=OFTEN,
                )
                for name in names
            ),
        ],
        [("count", name) for name in names],
    )
    result, report = run(fragile)
    assert result.returncode == 0, result.stderr
    for name in names:
        assert f"node '{name}' failed in its setup: FileNotFoundError: model.onnx" in result.stderr
        assert restarts(report, name) == 1


def test_a_failure_at_the_first_start_is_no_matter_of_retrying(fragile: Project) -> None:
    (fragile.folder / "marker").touch()
    fragile.chain(
        node("count", "Numbers", params={"n": 5}),
        node("crash", "Fragile", params={"how": "setup", "marker": marker(fragile, False)}, on_failure="restart"),
        SINK,
    )
    result, report = run(fragile)
    assert result.returncode == 1
    assert restarts(report, "crash") == 0


@PLACES
def test_what_finish_has_sent_is_not_sent_twice(fragile: Project, container: bool) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 5}),
        node("last", "Last", container=container, params={"marker": marker(fragile, container)}, on_failure="restart"),
        SINK,
    )
    result, report = run(fragile)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["first", "second"]
    check_accounts(report)


def test_a_session_beside_others_in_one_process_is_restarted_alone(fragile: Project) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 20}),
        node("model", "Model", container=True, params={"marker": "/tmp/marker"}, on_failure="restart"),
        SINK,
    )
    result, report = run(fragile)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(i) for i in range(20)]
    assert result.stderr.count("loaded in") == 1, "the model stayed"
    check_accounts(report)


class Pids:
    """Of nodes that say theirs when they are set up."""

    def __init__(self, running: Any, names: list[str]) -> None:
        self.running, self.pids = running, {}
        self._learn(set(names), starting=set())

    def learn(self, names: list[str]) -> None:
        """Waits until each of `names` was restarted: it has said its pid once more, and runs again."""
        self._learn(set(names), starting=set(names))

    def _learn(self, silent: set[str], starting: set[str]) -> None:
        while silent or starting:
            said = self.running.read_until("")
            if "] pid " in said:
                name = said[1 : said.index("]")]
                self.pids[name] = int(said.rpartition(" ")[2])
                silent.discard(name)
            elif said.startswith("node runs again after restart "):
                starting.discard(said.rpartition(" ")[2])

    def kill(self, names: list[str]) -> None:
        """Kills all of them, and waits until they were restarted."""
        for name in names:
            os.kill(self.pids[name], signal.SIGKILL)
        self.learn(names)


def stop(running: Any, project: Project) -> dict[str, Any]:
    """Ends the streams, and reads the report."""
    running.process.send_signal(signal.SIGINT)
    assert running.wait() == 130, "".join(running.lines[-40:])
    return json.loads((project.folder / "report.json").read_text())  # type: ignore[no-any-return]


def test_nothing_is_lost_however_often_the_nodes_of_a_chain_are_killed(fragile: Project) -> None:
    fragile.write(
        [
            node("count", "Numbers"),
            node("a", "Plus", retry=OFTEN),
            node("b", "Plus", retry=OFTEN),
            node("pair", "Pair"),
            {"id": "sink", "node_type": "json.sink", "params": {"path": str(fragile.folder / "out.jsonl")}},
        ],
        [
            ("count", "a"),
            ("a", "b"),
            {"from": "a", "to": "pair", "to_input": "left"},
            {"from": "b", "to": "pair", "to_input": "right"},
            ("pair", "sink"),
        ],
    )
    dice = random.Random(1)
    with fragile.start("--report", str(fragile.folder / "report.json")) as running:
        pids = Pids(running, ["a", "b"])
        running.read_until("runs")
        for _ in range(12):
            pids.kill([dice.choice(["a", "b"])])
        report = stop(running, fragile)
    check_accounts(report)
    assert [each["lost"] for each in report["edges"]] == [0] * 5
    texts = [json.loads(line)["text"] for line in Path(fragile.folder / "out.jsonl").read_text().splitlines()]
    sent = edge(report, "count.out->a.in")["sent"]
    for side in "lr":
        assert [text[1:] for text in texts if text[0] == side] == [str(i) for i in range(sent)]
    assert restarts(report, "a") + restarts(report, "b") == 12


def test_a_worker_that_ends_with_its_keeper_is_replaced_when_it_has_ended(fragile: Project) -> None:
    """Its end is told as soon as the keeper's is known, when the kernel may still be about to end the worker itself."""
    fragile.chain(node("count", "Numbers"), node("a", "Plus", retry=OFTEN), SINK)
    with fragile.start("--report", str(fragile.folder / "report.json")) as running:
        pids = Pids(running, ["a"])
        running.read_until("runs")
        for _ in range(8):
            worker = Path(f"/proc/{pids.pids['a']}/stat").read_text()
            os.kill(int(worker.rpartition(")")[2].split()[1]), signal.SIGKILL)
            pids.learn(["a"])
        report = stop(running, fragile)
    check_accounts(report)
    assert restarts(report, "a") == 8


def test_both_ends_of_an_edge_killed_at_once_lose_what_is_counted_and_go_on(fragile: Project) -> None:
    fragile.chain(
        node("count", "Numbers"),
        node("a", "Plus", retry=OFTEN),
        node("b", "Plus", retry=OFTEN),
        {"id": "sink", "node_type": "json.sink", "params": {"path": str(fragile.folder / "out.jsonl")}},
    )
    with fragile.start("--report", str(fragile.folder / "report.json")) as running:
        pids = Pids(running, ["a", "b"])
        running.read_until("runs")
        for _ in range(3):
            pids.kill(["a", "b"])
        report = stop(running, fragile)
    for each in report["edges"]:
        assert each["sent"] == each["delivered"] + each["lost"], each
    assert edge(report, "count.out->a.in")["lost"] == 0
    assert edge(report, "a.out->b.in")["sent"] == edge(report, "count.out->a.in")["sent"]
    assert edge(report, "a.out->b.in")["lost"] <= 3 * 8, "no more than the depth of the edge each time"
    assert edge(report, "b.out->sink.in")["lost"] == 0


def test_of_a_triangle_two_that_are_killed_at_once_do_not_wait_for_each_other(fragile: Project) -> None:
    fragile.write(
        [
            node("count", "Numbers"),
            node("q", "Plus", retry=OFTEN),
            node("d", "Plus"),
            node("c", "Slow", retry=OFTEN),
        ],
        [
            ("count", "q"),
            ("q", "d"),
            {"from": "q", "to": "c", "to_input": "left"},
            {"from": "d", "to": "c", "to_input": "right"},
        ],
    )
    with fragile.start("--report", str(fragile.folder / "report.json")) as running:
        pids = Pids(running, ["q", "c"])
        running.read_until("runs")
        for _ in range(4):
            running.read_until("[c] handled")
            pids.kill(["c", "q"])
        running.read_until("[c] handled")
        report = stop(running, fragile)
    for each in report["edges"]:
        assert each["sent"] == each["delivered"] + each["lost"], each
    assert edge(report, "d.out->c.right")["lost"] == 0
    assert edge(report, "q.out->d.in")["lost"] == 0


def test_an_interrupt_while_a_node_waits_for_its_backoff_ends_the_run(fragile: Project) -> None:
    fragile.chain(
        node("count", "Numbers", params={"n": 5}),
        node("crash", "Fragile", params={"how": "exception"}, retry={"max_attempts": 5, "backoff": "1h"}),
        SINK,
    )
    with fragile.start() as running:
        running.read_until("(restart 2)")
        running.process.send_signal(signal.SIGINT)
        running.read_until("ending the streams")
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130
