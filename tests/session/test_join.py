"""Nodes that join their inputs on media time, through real processes and containers, also while they are killed."""

from __future__ import annotations

import bisect
import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import Project, Running, docker, node, penstock

OFTEN = {"max_attempts": 100, "backoff": "0s"}

JOINS = '''
import itertools, os, signal
from collections.abc import Iterator
import penstock
from penstock import Json, Text


class Clock(penstock.Node):
    """Messages, params["n"] of them or without end, at media times that are params["period"] apart."""

    def setup(self, params: dict) -> None:
        self.n, self.period, self.first = params.get("n"), params["period"], params.get("first", 0)
        self.jitter = params.get("jitter", 1)

    def process(self) -> Iterator[Json]:
        for i in itertools.count() if self.n is None else range(self.n):
            time = self.first + i * self.period + i * 7919 % self.jitter
            yield Json([i, time], time=time)


class EndsHard(Clock):
    """A clock whose worker dies after its last message."""

    def process(self) -> Iterator[Json]:
        yield from super().process()
        os._exit(3)


class KilledOnce(penstock.Node):
    inputs = {"left": Json, "right": Json}

    def setup(self, params: dict) -> None:
        self.marker = params["marker"]

    def process(self, left: Json, right: Json) -> Text:
        if left.value[0] == 40 and not os.path.exists(self.marker):
            open(self.marker, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return Text(f"{left.value[0]} {right.value[0]}")


class Timeless(penstock.Node):
    def process(self) -> Iterator[Json]:
        yield Json([0, 0], time=0)
        yield Json([1, 20])


class Backwards(penstock.Node):
    def process(self) -> Iterator[Json]:
        for i, time in enumerate((0, 20, 10)):
            yield Json([i, time], time=time)


class Both(penstock.Node):
    """Tells in two texts for each set which messages it has."""

    inputs = {"left": Json, "right": Json}

    def setup(self, params: dict) -> None:
        self.fails_at, self.dies_every = params.get("fails_at"), params.get("dies_every")
        print("pid", os.getpid(), flush=True)

    def process(self, left: Json, right: Json) -> Iterator[Text]:
        number, time = left.value
        assert (left.time, right.time) == (time, right.value[1])
        yield Text(f"{number} {right.value[0]}")
        if number == self.fails_at:
            raise ValueError("no such pair")
        if self.dies_every and (number + 13 * self.attempt) % self.dies_every == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        yield Text(f"at {time}")
        if number % 50 == 0:
            print("handled", number, flush=True)


class Counting(Both):
    """Tells how many sets it has had, over all its lives."""

    def setup(self, params: dict) -> None:
        super().setup(params)
        self.sets = 0

    def checkpoint(self) -> int:
        return self.sets

    def restore(self, sets: int) -> None:
        self.sets = sets

    def process(self, left: Json, right: Json) -> Iterator[Text]:
        self.sets += 1
        yield from super().process(left, right)
        yield Text(f"the {self.sets}th")


class Three(penstock.Node):
    inputs = {"left": Json, "middle": Json, "right": Json}

    def process(self, left: Json, middle: Json, right: Json) -> Text:
        return Text(f"{left.value[0]} {middle.value[0]} {right.value[0]}")


class Pass(penstock.Node):
    def setup(self, params: dict) -> None:
        print("pid", os.getpid(), flush=True)

    def process(self, message: Json) -> Json:
        return message


class Split(penstock.Node):
    """All messages on one output, every fifth on another one."""

    outputs = {"every": Json, "some": Json}

    def setup(self, params: dict) -> None:
        print("pid", os.getpid(), flush=True)

    def process(self, message: Json) -> None:
        if message.value[0] % 5 == 0:
            self.emit("some", message)
        self.emit("every", message)
'''

SINK = {"id": "sink", "node_type": "text.sink"}


@pytest.fixture
def joins(project: Project) -> Project:
    (project.folder / "nodes.py").write_text(JOINS)
    return project


def times(n: int, period: int, first: int = 0, jitter: int = 1) -> list[int]:
    return [first + i * period + i * 7919 % jitter for i in range(n)]


def model(tolerance: int, *streams: list[int]) -> list[tuple[int, ...]]:
    """The sets, by the numbers of their messages: of each stream, what is nearest to a message of the first."""
    sets = []
    for number, time in enumerate(streams[0]):
        chosen = [number]
        for stream in streams[1:]:
            after = bisect.bisect_left(stream, time)
            around = range(max(after - 1, 0), min(after + 1, len(stream)))
            nearest = min(around, key=lambda i: (abs(stream[i] - time), i), default=None)
            if nearest is not None and abs(stream[nearest] - time) <= tolerance:
                chosen.append(nearest)
        if len(chosen) == len(streams):
            sets.append(tuple(chosen))
    return sets


def clock(id: str, period: int, **params: int) -> dict[str, Any]:
    return node(id, "Clock", params={"period": period, **params})


def connect(*ports: str, to: str = "both", **contract: Any) -> list[dict[str, Any]]:
    return [{"from": port, "to": to, "to_input": port, **contract} for port in ports]


def report_of(project: Project) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((project.folder / "report.json").read_text())
    return report


def check_accounts(report: dict[str, Any], streams: dict[str, list[int]], sets: list[tuple[int, ...]]) -> None:
    for edge in report["edges"]:
        assert edge["sent"] == edge["delivered"] == edge["acknowledged"], edge
        assert edge["lost"] == 0, edge
    for position, (port, stream) in enumerate(streams.items()):
        edge = next(edge for edge in report["edges"] if edge["id"].endswith(f".{port}"))
        assert edge["joined"] == len({chosen[position] for chosen in sets})
        assert edge["unmatched"] == len(stream) - edge["joined"]


def on_the_host(session: str, pid: int) -> int:
    """The process that the session's container knows by this number; 0 when it has ended meanwhile."""
    container = docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip()
    for process in Path("/proc").glob("[1-9]*"):
        try:
            inside = f"NSpid:\t{process.name}\t{pid}\n" in (process / "status").read_text()
            if container and inside and container in (process / "cgroup").read_text():
                return int(process.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return 0


def kill(pid: int) -> int:
    """1 if it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def kill_at_random(running: Running, victims: list[str], kills: int, container: bool = False) -> None:
    """Kills the workers of these nodes while `both` handles messages, as often as that, and then ends the streams."""
    chance = random.Random(7)
    pids: dict[str, int] = {}
    session = ""
    assert running.process.stderr is not None
    for line in running.process.stderr:
        running.lines.append(line)
        if "] pid " in line:
            pids[line[1 : line.index("]")]] = int(line.rpartition(" ")[2])
        elif line.startswith("session "):
            session = line.split()[1]
        elif "[both] handled" in line and session and kills and chance.random() < 0.25:
            pid = pids.pop(chance.choice(victims), 0)
            if container and pid:
                pid = on_the_host(session, pid)
            kills -= kill(pid) if pid else 0
            if not kills:
                running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 130, "".join(running.lines)


def sent(report: dict[str, Any], edge: str) -> int:
    return int(next(each["sent"] for each in report["edges"] if each["id"] == edge))


def told(left: list[int], sets: list[tuple[int, ...]]) -> list[str]:
    return [line for i, j in sets for line in (f"{i} {j}", f"at {left[i]}")]


@pytest.mark.parametrize("container", [False, True], ids=["process", "container"])
def test_streams_of_different_rates_are_joined_as_the_model_predicts(joins: Project, container: bool) -> None:
    left, right = times(500, 20, jitter=9), times(130, 75, first=200, jitter=31)
    joins.write(
        [
            clock("left", 20, n=500, jitter=9),
            clock("right", 75, n=130, first=200, jitter=31),
            node("both", "Both", container=container, join={"on": "time", "tolerance": "15ns"}),
            SINK,
        ],
        [*connect("left", "right"), ("both", "sink")],
    )
    result = joins.run("--report", str(joins.folder / "report.json"))
    assert result.returncode == 0, result.stderr
    sets = model(15, left, right)
    assert 100 < len(sets) < 400
    assert result.stdout.splitlines() == told(left, sets)
    report = report_of(joins)
    check_accounts(report, {"left": left, "right": right}, sets)
    assert next(node["messages"] for node in report["nodes"] if node["id"] == "both") == len(sets)
    unmatched = 500 - len(sets)
    assert f"edge left.out->both.left: {unmatched} of 500 messages found no partners to be joined with" in result.stderr


def test_the_smallest_edges_do_and_three_inputs_too(joins: Project) -> None:
    streams = {"left": times(300, 10), "middle": times(200, 15, first=3), "right": times(40, 80)}
    joins.write(
        [
            clock("left", 10, n=300),
            clock("middle", 15, n=200, first=3),
            clock("right", 80, n=40),
            node("three", "Three", join={"on": "time", "tolerance": "20ns"}),
            SINK,
        ],
        [*connect(*streams, to="three", depth=2, max_held=1), ("three", "sink")],
    )
    result = joins.run()
    assert result.returncode == 0, result.stderr
    sets = model(20, *streams.values())
    assert len(sets) > 100
    assert result.stdout.splitlines() == [" ".join(map(str, chosen)) for chosen in sets]


@pytest.mark.parametrize("container", [False, True], ids=["process", "container"])
def test_a_node_killed_again_and_again_makes_every_set_once(joins: Project, container: bool) -> None:
    joins.write(
        [
            clock("left", 20, jitter=9),
            clock("right", 75, jitter=31),
            node(
                "both",
                "Both",
                container=container,
                params={"dies_every": 5000},
                join={"on": "time", "tolerance": "25ns"},
                retry=OFTEN,
            ),
            {**SINK, "params": {"path": "told"}},
        ],
        [*connect("left", "right", depth=4), ("both", "sink")],
    )
    with joins.start("--report", str(joins.folder / "report.json")) as running:
        kill_at_random(running, ["both"], 8, container)
    report = report_of(joins)
    left = times(sent(report, "left.out->both.left"), 20, jitter=9)
    right = times(sent(report, "right.out->both.right"), 75, jitter=31)
    sets = model(25, left, right)
    assert (joins.folder / "told").read_text().splitlines() == told(left, sets)
    check_accounts(report, {"left": left, "right": right}, sets)
    assert next(node["restarts"] for node in report["nodes"] if node["id"] == "both") >= 8


def test_the_state_of_a_node_that_joins_has_each_set_once(joins: Project) -> None:
    streams = {"left": times(3000, 20, jitter=9), "right": times(800, 75, jitter=31)}
    joins.write(
        [
            clock("left", 20, n=3000, jitter=9),
            clock("right", 75, n=800, jitter=31),
            node(
                "both",
                "Counting",
                params={"dies_every": 300},
                join={"on": "time", "tolerance": "25ns"},
                retry=OFTEN,
            ),
            {**SINK, "params": {"path": "told"}},
        ],
        [*connect("left", "right", depth=4), ("both", "sink")],
    )
    result = joins.run("--report", str(joins.folder / "report.json"))
    assert result.returncode == 0, result.stderr
    sets = model(25, *streams.values())
    expected = [
        line
        for number, (i, j) in enumerate(sets, 1)
        for line in (f"{i} {j}", f"at {streams['left'][i]}", f"the {number}th")
    ]
    assert (joins.folder / "told").read_text().splitlines() == expected
    report = report_of(joins)
    check_accounts(report, streams, sets)
    assert next(node["restarts"] for node in report["nodes"] if node["id"] == "both") >= 5


def test_nodes_before_a_join_killed_again_and_again_lose_nothing(joins: Project) -> None:
    joins.write(
        [
            clock("first", 20, jitter=9),
            clock("second", 75, jitter=31),
            node("left", "Pass", retry=OFTEN),
            node("right", "Pass", retry=OFTEN),
            node("both", "Both", join={"on": "time", "tolerance": "25ns"}),
            {**SINK, "params": {"path": "told"}},
        ],
        [("first", "left"), ("second", "right"), *connect("left", "right", depth=4), ("both", "sink")],
    )
    with joins.start("--report", str(joins.folder / "report.json")) as running:
        kill_at_random(running, ["left", "right"], 8)
    report = report_of(joins)
    left = times(sent(report, "first.out->left.in"), 20, jitter=9)
    right = times(sent(report, "second.out->right.in"), 75, jitter=31)
    sets = model(25, left, right)
    assert (joins.folder / "told").read_text().splitlines() == told(left, sets)
    check_accounts(report, {"left": left, "right": right}, sets)


def test_a_node_that_feeds_two_inputs_of_a_join_is_replaced(joins: Project) -> None:
    joins.write(
        [
            clock("clock", 20),
            node("split", "Split", retry=OFTEN),
            node("both", "Both", join={"on": "time", "tolerance": "40ns"}),
            {**SINK, "params": {"path": "told"}},
        ],
        [
            ("clock", "split"),
            {"from": "split", "from_output": "every", "to": "both", "to_input": "left", "depth": 16},
            {"from": "split", "from_output": "some", "to": "both", "to_input": "right"},
            ("both", "sink"),
        ],
    )
    with joins.start("--report", str(joins.folder / "report.json")) as running:
        kill_at_random(running, ["split"], 5)
    report = report_of(joins)
    left = times(sent(report, "clock.out->split.in"), 20)
    right = left[::5]
    sets = model(40, left, right)
    assert (joins.folder / "told").read_text().splitlines() == [
        line for i, j in sets for line in (f"{i} {5 * j}", f"at {left[i]}")
    ]
    check_accounts(report, {"left": left, "right": right}, sets)
    assert "is restarted when what it had sent is handled" not in "".join(running.lines), "nobody waits for a join"


def test_a_set_at_which_the_node_always_fails_puts_its_leader_into_quarantine(
    joins: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    joins.write(
        [
            clock("left", 20, n=30),
            clock("right", 20, n=30),
            node("both", "Both", params={"fails_at": 7}, join={"on": "time"}, retry={"max_attempts": 2, "backoff": 0}),
            SINK,
        ],
        [*connect("left", "right"), ("both", "sink")],
    )
    result = joins.run("--report", str(joins.folder / "report.json"))
    assert result.returncode == 0, result.stderr
    left = times(30, 20)
    expected = told(left, model(0, left, left))
    expected.remove("at 140")
    assert result.stdout.splitlines() == expected
    assert "message 7 of edge left.out->both.left is in quarantine" in result.stderr


# What it keeps of the one that was left out is gone with its worker, and it does not wait for it.
def test_a_join_that_is_restarted_after_an_input_was_left_out_goes_on_to_its_end(joins: Project) -> None:
    joins.write(
        [
            clock("left", 20, n=60),
            {**clock("right", 75, n=3), "node_type": "nodes:EndsHard", "on_failure": "skip"},
            node(
                "both",
                "KilledOnce",
                params={"marker": str(joins.folder / "marker")},
                join={"on": "time", "tolerance": "1s"},
                on_failure="restart",
            ),
            SINK,
        ],
        [*connect("left", "right"), ("both", "sink")],
    )
    result = joins.run("--strict-loss")
    assert result.returncode in (0, 4), result.stderr
    assert result.stdout.splitlines()[39] == "39 2"
    assert "node runs again after restart 1: both" in result.stderr


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        ("Timeless", "message 1 of input 'right' has no media time, and this node joins its inputs by it"),
        ("Backwards", "message 2 of input 'right' has the media time 10 ns, but the one before it had 20 ns"),
    ],
)
def test_messages_without_an_order_in_time_end_the_run_with_their_port(joins: Project, cls: str, sentence: str) -> None:
    joins.write(
        [clock("left", 20, n=30), node("right", cls), node("both", "Both", join={"on": "time"}), SINK],
        [*connect("left", "right"), ("both", "sink")],
    )
    result = joins.run()
    assert result.returncode == 1
    assert sentence in result.stderr
    assert "edge right.out->both.right" in result.stderr


def test_an_input_that_is_not_connected_is_named_before_the_start(joins: Project) -> None:
    joins.write(
        [clock("left", 20, n=3), clock("right", 20, n=3), node("three", "Three", join={"on": "time"}), SINK],
        [*connect("left", "right", to="three"), ("three", "sink")],
    )
    result = joins.run()
    assert result.returncode == 1
    assert (
        "node 'three' has `join`, which needs a message of every input, but nothing is connected to its input 'middle'"
        in (result.stderr)
    )


def test_a_plan_says_what_is_joined(joins: Project) -> None:
    joins.write(
        [
            clock("left", 20, n=3),
            clock("right", 20, n=3),
            node("both", "Both", join={"on": "time", "tolerance": "20ms"}),
        ],
        connect("left", "right"),
    )
    assert "joins    its inputs on media time, up to 0.02 s apart" in penstock("plan", str(joins.manifest)).stdout
    plan = json.loads(penstock("plan", str(joins.manifest), "--json").stdout)
    assert plan["nodes"][2]["join"] == {"on": "time", "tolerance": 0.02}
