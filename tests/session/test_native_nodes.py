"""The native nodes that pass on, collect, tick and watch, in pipelines with Python nodes around them."""

from __future__ import annotations

import json
import os
import random
import signal
import wave
from pathlib import Path
from typing import Any

import pytest
from conftest import SINK, Project, node
from test_checkpoint import native_worker
from test_restart import OFTEN, check_accounts, edge, restarts, stop
from test_watchdogs import descendants

NODES = '''
import penstock
from penstock import Image, Json, Text


class Pictures(penstock.Node):
    """Three pictures, each of one colour, which its metadata tells."""

    def process(self):
        for i in range(3):
            pixels = memoryview(bytes([i]) * 72).cast("B", [4, 6, 3])
            yield Image(pixels, "rgb24", time=i * 40_000_000, metadata={"colour": i})


class Look(penstock.Node):
    """What it was given, in words."""

    def process(self, image: Image) -> Text:
        height, width, channels = image.shape
        colours = sorted(set(bytes(image.buffer)))
        return Text(f"{width}x{height}x{channels} {image.format} {colours} {image.metadata} {image.time}")


class Numbers(penstock.Node):
    def setup(self, params: dict) -> None:
        self.first, self.n = params.get("first", 0), params.get("n", 1)

    def process(self):
        for i in range(self.first, self.first + self.n):
            yield Text(str(i))


class Endless(penstock.Node):
    def process(self):
        i = 0
        while True:
            yield Text(str(i))
            i += 1


class Flat(penstock.Node):
    """The items of an array, one by one; says now and then how many there were."""

    def setup(self, params: dict) -> None:
        self.seen = 0

    def process(self, batch: Json):
        for item in batch.value:
            self.seen += 1
            if self.seen % 3000 == 0:
                print("seen", self.seen, flush=True)
            yield Text(item)


class InOrder(penstock.Node):
    """Checks that numbers come in order, each once, or, with params["repeats"], again after some that came before."""

    def setup(self, params: dict) -> None:
        self.next, self.repeats = 0, params["repeats"]

    def process(self, text: Text) -> None:
        number = int(text.text)
        assert number == self.next or (self.repeats and number < self.next), (number, self.next)
        self.next = max(self.next, number + 1)

    def finish(self) -> None:
        print(self.next, "in order", flush=True)


class Quiet(penstock.Node):
    """No audio at all."""

    outputs = {"out": penstock.Audio}

    def process(self) -> None:
        pass


class Watch(penstock.Node):
    """Passes audio on, and says now and then that it does."""

    def setup(self, params: dict) -> None:
        self.seen = 0

    def process(self, audio: penstock.Audio) -> penstock.Audio:
        self.seen += 1
        if self.seen % 700 == 0:
            print("seen", self.seen, flush=True)
        return audio


class Names(penstock.Node):
    def process(self, file: Json) -> Text:
        text = f"{file.value['event']} {file.value['path'].rpartition('/')[2]}"
        print("told", text, flush=True)
        return Text(text)
'''


@pytest.fixture
def pipeline(project: Project) -> Project:
    (project.folder / "nodes.py").write_text(NODES)
    return project


def native(id: str, node_type: str, **params: Any) -> dict[str, Any]:
    return {"id": id, "node_type": node_type, "params": params}


def lines_of(project: Project, file: str) -> list[str]:
    return (project.folder / file).read_text().splitlines()


def write_wav(file: Path, samples: bytes) -> None:
    """Two channels of 16 bits at 8000 Hz."""
    with wave.open(str(file), "wb") as recording:
        recording.setnchannels(2)
        recording.setsampwidth(2)
        recording.setframerate(8000)
        recording.writeframes(samples)


def test_a_ticker_sends_so_many_messages_with_their_media_time(pipeline: Project) -> None:
    pipeline.chain(native("tick", "time.ticker", every="20ms", count=4), native("sink", "json.sink"))
    result = pipeline.run()
    assert result.returncode == 0, result.stderr
    messages = [json.loads(line) for line in result.stdout.splitlines()]
    ticks = [message["value"]["tick"] for message in messages]
    assert len(ticks) == 4
    assert ticks[0] == 0 and ticks == sorted(set(ticks))
    assert [message["time_ns"] for message in messages] == [20_000_000 * tick for tick in ticks]


def test_a_ticker_goes_on_until_it_is_stopped(pipeline: Project) -> None:
    pipeline.chain(native("tick", "time.ticker", every="1h", text="go"), native("tap", "debug.tap", text=True), SINK)
    with pipeline.start() as running:
        assert running.read_until("[tap] ").endswith('message 0: Text, 2 bytes, at 0.000 s: "go"')
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130


def test_what_is_passed_on_arrives_as_it_was(pipeline: Project) -> None:
    """Payload, shape, metadata and media time, through every node that passes messages on."""
    pipeline.chain(
        node("pictures", "Pictures"),
        native("tap", "debug.tap", every=2),
        native("merge", "flow.merge"),
        native("rate", "flow.rate", per_second=1000, policy="wait"),
        node("look", "Look"),
        SINK,
    )
    result = pipeline.run()
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [f"6x4x3 rgb24 [{i}] {{'colour': {i}}} {i * 40_000_000}" for i in range(3)]
    logged = [line.partition("message ")[2] for line in result.stderr.splitlines() if "[tap]" in line]
    assert logged == [
        f"{i}: Image uint8 (4, 6, 3), 72 bytes, at {i * 0.04:.3f} s, with 12 bytes of metadata" for i in (0, 2)
    ]


def test_a_rate_leaves_out_what_is_too_much_and_counts_it(pipeline: Project) -> None:
    pipeline.chain(node("count", "Numbers", params={"n": 50}), native("rate", "flow.rate", per_second=0.001), SINK)
    result = pipeline.run()
    assert (result.returncode, result.stdout) == (0, "0\n"), result.stderr
    assert "[rate] 49 of 50 messages left out" in result.stderr


def test_batches_hold_every_message_in_order_and_the_rest_comes_at_the_end(pipeline: Project) -> None:
    pipeline.chain(node("count", "Numbers", params={"n": 7}), native("batch", "flow.batch", size=3), SINK)
    result = pipeline.run()
    assert result.returncode == 0, result.stderr
    assert [json.loads(line) for line in result.stdout.splitlines()] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_a_batch_is_sent_in_time_though_it_is_not_full(pipeline: Project) -> None:
    pipeline.chain(
        native("tick", "time.ticker", every="1h", text="x"),
        native("batch", "flow.batch", size=1000, within="20ms"),
        native("tap", "debug.tap", text=True),
        SINK,
    )
    with pipeline.start() as running:
        assert running.read_until("[tap] ").endswith(r'"[\"x\"]"')
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130


@pytest.mark.parametrize("params", [{"size": 7}, {"within": "2ms"}], ids=["size", "within"])
def test_a_batch_that_is_killed_again_and_again_loses_nothing(pipeline: Project, params: dict[str, Any]) -> None:
    """One that is sent because of `within` may come twice."""
    pipeline.chain(
        node("count", "Endless"),
        {**native("batch", "flow.batch", **params), "retry": OFTEN},
        node("flat", "Flat"),
        node("end", "InOrder", params={"repeats": "within" in params}),
    )
    with pipeline.start("--report", str(pipeline.folder / "report.json")) as running:
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGKILL):
            running.read_until("[flat] seen")
            (worker,) = [pid for pid, command in descendants(running.process.pid) if "penstock-native" in command]
            os.kill(worker, number)
            running.read_until("node runs again")
        running.read_until("[flat] seen")
        report = stop(running, pipeline)
        assert f"[end] {edge(report, 'count.out->batch.in')['sent']} in order" in "".join(running.lines)
    check_accounts(report)
    assert restarts(report, "batch") == 3


def test_several_connections_are_merged_into_one(pipeline: Project) -> None:
    pipeline.write(
        [
            node("low", "Numbers", params={"n": 20}),
            node("high", "Numbers", params={"n": 30, "first": 100}),
            native("merge", "flow.merge"),
            SINK,
        ],
        [("low", "merge"), ("high", "merge"), ("merge", "sink")],
    )
    result = pipeline.run()
    assert result.returncode == 0, result.stderr
    numbers = [int(line) for line in result.stdout.split()]
    assert [number for number in numbers if number < 100] == list(range(20))
    assert [number for number in numbers if number >= 100] == list(range(100, 130))


def test_a_tee_has_an_output_for_each(pipeline: Project) -> None:
    pipeline.write(
        [
            node("count", "Numbers", params={"n": 20}),
            native("tee", "flow.tee"),
            native("a", "text.sink", path="a.txt"),
            native("b", "text.sink", path="b.txt"),
        ],
        [
            ("count", "tee"),
            {"from": "tee", "to": "a", "from_output": "out0"},
            {"from": "tee", "to": "b", "from_output": "out5"},
        ],
    )
    result = pipeline.run()
    assert result.returncode == 0, result.stderr
    assert lines_of(pipeline, "a.txt") == lines_of(pipeline, "b.txt") == [str(i) for i in range(20)]


def test_a_tee_must_be_told_which_output_is_meant(pipeline: Project) -> None:
    pipeline.chain(node("count", "Numbers", params={"n": 1}), native("tee", "flow.tee"), SINK)
    result = pipeline.run()
    assert result.returncode == 2
    assert "node 'tee' has the outputs 'out0', 'out1'" in result.stderr
    assert "say which one with 'from_output'" in result.stderr


def test_files_are_told_of_when_they_are_complete(pipeline: Project) -> None:
    folder = pipeline.folder / "inbox"
    folder.mkdir()
    (folder / "early.txt").write_text("x")
    watch = native("watch", "file.watch", path="inbox", pattern="*.txt", existing=True)
    pipeline.chain(watch, node("names", "Names"), SINK)
    with pipeline.start() as running:
        assert running.read_until("[names] told").endswith("existing early.txt")
        with (folder / "late.txt").open("w") as file:
            file.write("half")
            file.flush()
            (folder / "other.wav").write_text("x")
            (folder / "part").write_text("x")
            (folder / "part").rename(folder / "whole.txt")
            assert running.read_until("[names] told").endswith("moved whole.txt")
        assert running.read_until("[names] told").endswith("written late.txt")
        running.process.send_signal(signal.SIGINT)  # nothing comes any more: the wait must end
        assert running.wait() == 130


@pytest.mark.parametrize("name", ["copy.wav", "copy.flac"])
def test_a_recording_that_is_read_and_written_is_the_same(pipeline: Project, name: str) -> None:
    samples = random.Random(5).randbytes(2 * 2 * 5000)
    write_wav(pipeline.folder / "talk.wav", samples)
    pipeline.chain(
        native("source", "media.source", url="talk.wav"),
        native("tap", "debug.tap", every=1000),
        native("sink", "media.sink", path=name),
    )
    result = pipeline.run()
    assert result.returncode == 0, result.stderr
    if name.endswith(".flac"):  # which the standard library does not read
        pipeline.chain(
            native("source", "media.source", url=name),
            native("sink", "media.sink", path="copy.wav"),
        )
        assert pipeline.run().returncode == 0
    with wave.open(str(pipeline.folder / "copy.wav"), "rb") as copy:
        assert (copy.getnchannels(), copy.getsampwidth(), copy.getframerate()) == (2, 2, 8000)
        assert copy.readframes(10_000) == samples


def test_a_recording_goes_on_in_its_file_however_often_its_node_is_killed(pipeline: Project) -> None:
    samples = random.Random(6).randbytes(2 * 2 * 24_000)
    write_wav(pipeline.folder / "talk.wav", samples)
    pipeline.chain(
        native("source", "media.source", url="talk.wav", realtime=True, audio={"frame_ms": 1}),
        node("watch", "Watch"),
        {**native("sink", "media.sink", path="copy.wav"), "retry": OFTEN},
    )
    with pipeline.start("--report", str(pipeline.folder / "report.json")) as running:
        for number in (signal.SIGKILL, signal.SIGSEGV):
            running.read_until("[watch] seen")
            os.kill(native_worker(running, pipeline.folder / "copy.wav"), number)
            running.read_until("node runs again")
        assert running.wait() == 0, "".join(running.lines)
    report = json.loads((pipeline.folder / "report.json").read_text())
    check_accounts(report)
    assert restarts(report, "sink") == 2
    with wave.open(str(pipeline.folder / "copy.wav"), "rb") as copy:
        assert copy.readframes(100_000) == samples


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (native("n", "time.ticker"), "'every' is required (a duration above 0"),
        (native("n", "time.ticker", every="1s", count=0), "'count' must be a whole number from 1, not 0"),
        (native("n", "file.watch", path="nowhere"), "nowhere': No such file or directory"),
        (native("n", "debug.tap", every="2"), "'every' must be a whole number from 1, not \"2\""),
        (native("n", "flow.rate", per_second=1, policy="loose"), "'policy' must be drop or wait, not \"loose\""),
        (native("n", "flow.batch"), "give 'size' (a whole number from 1), 'within'"),
        (native("n", "flow.merge", inputs=2), "unknown parameter 'inputs' (known: none)"),
        (native("n", "media.sink", path="a.ogg"), "'path' must be a path that ends with .wav or .flac, not \"a.ogg\""),
    ],
    ids=lambda value: value["node_type"] if isinstance(value, dict) else "",
)
def test_a_wrong_parameter_is_named_with_what_would_be_right(
    pipeline: Project, wrong: dict[str, Any], sentence: str
) -> None:
    kind = wrong["node_type"]
    before = [] if kind in ("time.ticker", "file.watch") else [node("some", "Quiet" if "sink" in kind else "Numbers")]
    pipeline.chain(*before, wrong, *([] if "sink" in kind else [native("sink", "json.sink")]))
    result = pipeline.run()
    assert result.returncode == 1
    assert "node 'n'" in result.stderr
    assert sentence in result.stderr
