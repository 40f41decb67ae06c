"""A node's state survives the end of its worker, exactly; and sources go on after theirs."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import wave
import zlib
from pathlib import Path
from typing import Any

import pytest
from conftest import SINK, Project, Running, docker, node
from test_restart import OFTEN, PLACES, Pids, check_accounts, edge, marker, restarts, run, stop, worker_in
from test_watchdogs import descendants


@pytest.fixture
def stateful(project: Project) -> Project:
    shutil.copy(Path(__file__).parent / "checkpoint_nodes.py", project.folder / "nodes.py")
    return project


def json_sink(project: Project, id: str = "sink", **more: Any) -> dict[str, Any]:
    return {"id": id, "node_type": "json.sink", "params": {"path": str(project.folder / f"{id}.jsonl")}, **more}


def written(project: Project, id: str = "sink") -> list[str]:
    lines = (project.folder / f"{id}.jsonl").read_text().splitlines()
    return [json.loads(line)["text"] for line in lines]


def sums(n: int, end: bool = True) -> list[str]:
    """What Sum sends for the numbers below n."""
    model = [f"{i} {i + 1} {i * (i + 1) // 2} {half}" for i in range(n) for half in "ab"]
    return model + ([f"end {n} {n * (n - 1) // 2} {half}" for half in "ab"] if end else [])


@PLACES
@pytest.mark.parametrize(
    ("how", "suppressed"),
    [
        ("between its outputs", 1),
        ("before it is kept", 2),
        ("after it was kept", 0),
        ("exception", 2),
        ("in finish", 1),
    ],
)
def test_the_state_is_neither_behind_nor_ahead_of_what_was_handled(
    stateful: Project, how: str, suppressed: int, container: bool
) -> None:
    stateful.chain(
        node("count", "Numbers", params={"n": 20}),
        node(
            "sum",
            "Sum",
            container=container,
            params={"how": how, "marker": marker(stateful, container)},
            on_failure="restart",
        ),
        SINK,
    )
    result, report = run(stateful)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == sums(20)
    check_accounts(report)
    assert restarts(report, "sum") == 1
    assert edge(report, "sum.out->sink.in")["suppressed"] == suppressed
    assert edge(report, "count.out->sum.in")["redelivered"] == (how != "in finish")


@pytest.mark.parametrize("how", ["before it is kept", "after it was kept"])
@pytest.mark.parametrize("at", [0, 19], ids=["first", "last"])
def test_the_first_and_the_last_message_are_as_exact(stateful: Project, how: str, at: int) -> None:
    stateful.chain(
        node("count", "Numbers", params={"n": 20}),
        node("sum", "Sum", params={"how": how, "at": at, "marker": marker(stateful, False)}, on_failure="restart"),
        SINK,
    )
    result, report = run(stateful)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == sums(20)
    check_accounts(report)
    assert restarts(report, "sum") == 1


def test_it_works_on_the_oldest_python(stateful: Project) -> None:
    old = {"python_version": "3.9", "resource_limits": {"memory_mb": 256, "cpu_cores": 1}}
    stateful.chain(
        node("count", "Numbers", params={"n": 20}),
        node(
            "sum", "Sum", docker=old, params={"how": "after it was kept", "marker": "/tmp/marker"}, on_failure="restart"
        ),
        SINK,
    )
    result, report = run(stateful)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == sums(20)
    assert restarts(report, "sum") == 1


@PLACES
def test_under_load_a_running_sum_is_right_however_often_it_is_killed(stateful: Project, container: bool) -> None:
    stateful.chain(
        node("count", "Numbers"),
        node("sum", "Sum", container=container, params={"ballast": 20_000}, retry=OFTEN),
        node("tell", "Tell"),
        json_sink(stateful),
    )
    dice = random.Random(2)
    with stateful.start("--report", str(stateful.folder / "report.json")) as running:
        session = running.read_until("session ").split()[1]
        for _ in range(8):
            for _ in range(dice.randint(1, 3)):
                running.read_until("[tell] seen")
            kill_sum(running, session, container)
            running.read_until("[sum] pid ")
        running.read_until("[tell] seen")
        report = stop(running, stateful)
    check_accounts(report)
    assert restarts(report, "sum") == 8
    assert written(stateful) == sums(edge(report, "count.out->sum.in")["sent"])


def kill_sum(running: Running, session: str, container: bool) -> None:
    if container:
        pid = worker_in(docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip())
    else:
        pid = int(next(line for line in reversed(running.lines) if "[sum] pid " in line).rpartition(" ")[2])
    os.kill(pid, signal.SIGKILL)


def test_a_container_that_is_killed_takes_no_state_with_it(stateful: Project) -> None:
    stateful.chain(
        node("count", "Numbers"),
        node("sum", "Sum", container=True, retry=OFTEN),
        node("tell", "Tell"),
        json_sink(stateful),
    )
    with stateful.start("--report", str(stateful.folder / "report.json")) as running:
        session = running.read_until("session ").split()[1]
        for _ in range(2):
            running.read_until("[tell] seen")
            docker("kill", docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip())
            running.read_until("node 'sum' is restarted")
            running.read_until("[sum] pid ")
        running.read_until("[tell] seen")
        report = stop(running, stateful)
    check_accounts(report)
    assert written(stateful) == sums(edge(report, "count.out->sum.in")["sent"])


def test_a_state_may_be_what_json_has(stateful: Project) -> None:
    stateful.chain(
        node("count", "Numbers", params={"n": 30}),
        node("dict", "Dict", params={"marker": marker(stateful, False)}, on_failure="restart"),
        SINK,
    )
    result, report = run(stateful)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == {str(digit): 3 for digit in range(10)}
    assert restarts(report, "dict") == 1


def test_of_two_inputs_each_is_in_the_state_as_far_as_it_was_handled(stateful: Project) -> None:
    stateful.write(
        [
            node("one", "Numbers"),
            node("two", "Numbers"),
            node("merge", "Merge", retry=OFTEN),
            node("tell", "Tell"),
            json_sink(stateful),
        ],
        [
            {"from": "one", "to": "merge", "to_input": "left"},
            {"from": "two", "to": "merge", "to_input": "right"},
            ("merge", "tell"),
            ("tell", "sink"),
        ],
    )
    with stateful.start("--report", str(stateful.folder / "report.json")) as running:
        pids = Pids(running, ["merge"])
        for _ in range(6):
            running.read_until("[tell] seen")
            pids.kill(["merge"])
        running.read_until("[tell] seen")
        report = stop(running, stateful)
    check_accounts(report)
    model, seen = {"left": 0, "right": 0}, {"left": 0, "right": 0}
    for text in written(stateful):
        side, number, left, right = text.split()
        assert int(number) == seen[side]
        seen[side] += 1
        model[side] += int(number)
        assert (int(left), int(right)) == (model["left"], model["right"])
    assert seen["left"] == edge(report, "one.out->merge.left")["sent"]
    assert seen["right"] == edge(report, "two.out->merge.right")["sent"]


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        ("TooMuch", "the state that node 'much' wants to keep has 1048577 bytes, and at most 1048576 are kept"),
        ("Strange", "TypeError: what Strange.checkpoint gave cannot be written as JSON: it has a value of type set"),
    ],
)
def test_a_checkpoint_that_fails_ends_the_session_and_accuses_no_message(
    stateful: Project, cls: str, sentence: str
) -> None:
    stateful.chain(node("count", "Numbers", params={"n": 3}), node("much", cls, retry={"max_attempts": 1}), SINK)
    result, report = run(stateful)
    assert result.returncode == 1
    assert "node 'much' failed in its checkpoint: " in result.stderr
    assert sentence in result.stderr
    much = next(each for each in report["nodes"] if each["id"] == "much")
    assert (much["restarts"], much["quarantined"]) == (0, 0)


@pytest.mark.parametrize("how", ["between its outputs", "before it is kept", "after it was kept"])
def test_a_node_that_joins_its_inputs_keeps_its_state_with_its_sets(stateful: Project, how: str) -> None:
    stateful.write(
        [
            node("left", "Timed", params={"n": 40, "period": 10}),
            node("right", "Timed", params={"n": 20, "period": 20}),
            node(
                "joined",
                "Joined",
                params={"how": how, "marker": marker(stateful, False)},
                join={"on": "time", "tolerance": "5ns"},
                on_failure="restart",
            ),
            SINK,
        ],
        [
            {"from": "left", "to": "joined", "to_input": "left"},
            {"from": "right", "to": "joined", "to_input": "right"},
            ("joined", "sink"),
        ],
    )
    result, report = run(stateful)
    assert result.returncode == 0, result.stderr
    model, total = [], 0
    for i in range(20):
        total += 2 * i + 1000 * i
        model += [f"{1002 * i} {i + 1} {total} {half}" for half in "ab"]
    assert result.stdout.splitlines() == model + [f"end 20 {total} {half}" for half in "ab"]
    assert restarts(report, "joined") == 1


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        ("Half", "Half defines checkpoint but not restore(self, state)"),
        ("Refuses", "node 'odd' failed in its restore: ValueError: what is 1?"),
    ],
)
def test_a_state_that_cannot_be_given_back_does_not_loop(stateful: Project, cls: str, sentence: str) -> None:
    stateful.chain(
        node("count", "Numbers", params={"n": 10}),
        node("odd", cls, params={"marker": marker(stateful, False)}, on_failure="restart"),
        SINK,
    )
    result, report = run(stateful)
    assert result.returncode == 1
    assert sentence in result.stderr
    assert restarts(report, "odd") == (cls == "Refuses")


# --- sources


@pytest.mark.parametrize(
    ("cls", "sentence"),
    [
        ("Numbers", "is a source with 'on_failure: restart' (or 'retry'), and does not say how it goes on"),
        ("Emits", "Emits is a source that defines checkpoint, which is called at each `yield` of its process"),
    ],
)
def test_a_source_that_does_not_say_how_it_goes_on_is_refused(stateful: Project, cls: str, sentence: str) -> None:
    stateful.chain(node("source", cls, params={"n": 1}, on_failure="restart"), SINK)
    result, _ = run(stateful)
    assert result.returncode == 1
    assert sentence in result.stderr


@PLACES
@pytest.mark.parametrize("cls", ["Kept", "Replayed"])
def test_a_source_killed_between_two_outputs_sends_each_once(stateful: Project, cls: str, container: bool) -> None:
    params = {"n": 100, "marker": marker(stateful, container)}
    stateful.write(
        [
            node("source", cls, container=container, params=params, on_failure="restart"),
            json_sink(stateful, "all"),
            json_sink(stateful, "tens"),
        ],
        [("source", "all"), {"from": "source", "from_output": "tens", "to": "tens"}],
    )
    result, report = run(stateful)
    assert result.returncode == 0, result.stderr
    assert written(stateful, "all") == [str(i) for i in range(100)] + (["end"] if cls == "Replayed" else [])
    assert written(stateful, "tens") == [str(i) for i in range(0, 100, 10)]
    check_accounts(report)
    assert restarts(report, "source") == 1
    assert edge(report, "source.tens->tens.in")["suppressed"] == {"Kept": 1, "Replayed": 6}[cls]
    assert edge(report, "source.out->all.in")["suppressed"] == {"Kept": 0, "Replayed": 50}[cls]


@PLACES
@pytest.mark.parametrize("cls", ["Kept", "Replayed"])
def test_a_source_killed_under_load_sends_everything_once_and_in_order(
    stateful: Project, cls: str, container: bool
) -> None:
    stateful.write(
        [
            node("source", cls, container=container, retry=OFTEN),
            node("tell", "Tell"),
            json_sink(stateful, "all"),
            json_sink(stateful, "tens"),
        ],
        [("source", "tell"), ("tell", "all"), {"from": "source", "from_output": "tens", "to": "tens"}],
    )
    with stateful.start("--report", str(stateful.folder / "report.json")) as running:
        session = running.read_until("session ").split()[1]
        for _ in range(5):
            running.read_until("[tell] seen")
            if container:
                pid = worker_in(docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip())
            else:
                pid = int(next(line for line in reversed(running.lines) if "[source] pid " in line).rpartition(" ")[2])
            os.kill(pid, signal.SIGKILL)
            running.read_until("[source] pid ")
        running.read_until("[tell] seen")
        report = stop(running, stateful)
    check_accounts(report)
    assert restarts(report, "source") == 5
    sent = written(stateful, "all")
    if cls == "Replayed":
        assert sent.pop() == "end"
    assert sent == [str(i) for i in range(len(sent))]
    tens = written(stateful, "tens")
    assert tens == [str(i) for i in range(0, 10 * len(tens), 10)]
    assert len(tens) == (len(sent) + 9) // 10


@pytest.mark.parametrize("then", [30, 49])
def test_a_source_that_gives_less_than_before_is_told(stateful: Project, then: int) -> None:
    params = {"n": 100, "marker": marker(stateful, False), "then": then}
    stateful.write(
        [
            node("source", "Shrinks", params=params, on_failure="restart"),
            json_sink(stateful, "all"),
            json_sink(stateful, "tens"),
        ],
        [("source", "all"), {"from": "source", "from_output": "tens", "to": "tens"}],
    )
    result, report = run(stateful)
    assert result.returncode == 1
    assert "node 'source' failed in its replay: " in result.stderr
    told = f"output 'out' had sent 50 messages before the node was restarted, and has ended after {then} now"
    assert told in result.stderr
    assert restarts(report, "source") == 1


def test_a_source_of_what_is_new_each_time_goes_on_with_other_messages(stateful: Project) -> None:
    stateful.chain(node("source", "New", retry=OFTEN), node("tell", "Tell"), json_sink(stateful))
    with stateful.start("--report", str(stateful.folder / "report.json")) as running:
        pids = Pids(running, ["source"])
        for _ in range(4):
            running.read_until("[tell] seen")
            pids.kill(["source"])
        running.read_until("[tell] seen")
        report = stop(running, stateful)
    check_accounts(report)
    assert edge(report, "source.out->tell.in")["suppressed"] == 0
    numbers: dict[int, list[int]] = {}
    for text in written(stateful):
        attempt, number = map(int, text.split())
        assert attempt >= max(numbers, default=0), "none of an earlier worker comes after those of a later one"
        numbers.setdefault(attempt, []).append(number)
    assert list(numbers) == [0, 1, 2, 3, 4]
    assert all(sent == list(range(len(sent))) for sent in numbers.values())


@pytest.mark.parametrize("cls", ["Kept", "Replayed", "New"])
def test_a_source_that_is_killed_while_it_is_told_to_stop_ends_its_stream(stateful: Project, cls: str) -> None:
    stateful.chain(
        node("source", cls, retry={"max_attempts": 100, "backoff": "0s"}), node("tell", "Tell"), json_sink(stateful)
    )
    with stateful.start("--report", str(stateful.folder / "report.json")) as running:
        pids = Pids(running, ["source"])
        running.read_until("[tell] seen")
        os.kill(pids.pids["source"], signal.SIGKILL)
        running.read_until("node 'source' is restarted")
        report = stop(running, stateful)
    check_accounts(report)
    assert restarts(report, "source") == 1


# --- native nodes


def native_worker(running: Running, file: Path) -> int:
    """The native worker that has `file` open."""
    for pid, command in descendants(running.process.pid):
        if "penstock-native" not in command:
            continue
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if descriptor.readlink() == file:
                    return pid
            except OSError:
                continue  # closed meanwhile
    raise AssertionError(f"no native worker has {file} open")


def test_a_native_source_over_a_file_goes_on_where_it_was(stateful: Project) -> None:
    recording = stateful.folder / "talk.wav"
    frames, rate = 3000, 8000
    samples = random.Random(3).randbytes(2 * frames * rate // 1000)
    with wave.open(str(recording), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)
    params = {"url": str(recording), "audio": {"frame_ms": 1}, "realtime": True}
    stateful.chain(
        {"id": "source", "node_type": "media.source", "params": params, "retry": OFTEN},
        node("frames", "Frames"),
        json_sink(stateful),
    )
    with stateful.start("--report", str(stateful.folder / "report.json")) as running:
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGKILL):
            running.read_until("[frames] seen")
            os.kill(native_worker(running, recording), number)
            running.read_until("node runs again")
        assert running.wait() == 0, "".join(running.lines)
    assert "signal 11 (SIGSEGV)" in "".join(running.lines)
    report = json.loads((stateful.folder / "report.json").read_text())
    check_accounts(report)
    assert restarts(report, "source") == 3
    texts = [text.split() for text in written(stateful)]
    assert [int(time) for time, _ in texts] == [i * 1_000_000 for i in range(frames)]
    count = rate // 1000
    values = memoryview(samples).cast("h")
    for i in (0, frames // 2, frames - 1):
        floats = memoryview(bytearray(4 * count)).cast("f")
        for k in range(count):
            floats[k] = values[i * count + k] / 32768
        assert int(texts[i][1]) == zlib.crc32(floats.cast("B"))


@pytest.mark.parametrize("sink", ["text.sink", "json.sink"])
def test_a_native_sink_writes_each_line_of_its_file_once(stateful: Project, sink: str) -> None:
    lines = stateful.folder / "lines.txt"
    lines.write_text("of an earlier run\n")
    stateful.chain(
        node("count", "Numbers"),
        node("tell", "Tell"),
        {"id": "sink", "node_type": sink, "params": {"path": str(lines)}, "retry": OFTEN},
    )
    with stateful.start("--report", str(stateful.folder / "report.json")) as running:
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGKILL, signal.SIGKILL):
            running.read_until("[tell] seen")
            os.kill(native_worker(running, lines), number)
            running.read_until("node runs again")
        running.read_until("[tell] seen")
        report = stop(running, stateful)
    check_accounts(report)
    assert restarts(report, "sink") == 4
    texts = lines.read_text().splitlines()
    if sink == "json.sink":
        texts = [json.loads(line)["text"] for line in texts]
    assert texts == [str(i) for i in range(edge(report, "tell.out->sink.in")["sent"])]


def test_a_native_node_that_hangs_is_ended_and_restarted(stateful: Project) -> None:
    pipe = stateful.folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        stateful.chain(
            node("count", "Numbers", params={"n": 100_000}),
            {
                "id": "sink",
                "node_type": "text.sink",
                "params": {"path": str(pipe)},
                "process_timeout": "300ms",
                "retry": {"max_attempts": 1, "backoff": "0s"},
            },
        )
        with stateful.start() as running:
            # Nobody reads the pipe: it fills, and writing to it hangs.
            running.read_until("node 'sink' did not handle message")
            running.read_until("node 'sink' is restarted at once (restart 1)")
            running.read_until("node runs again")
    finally:
        os.close(reader)
