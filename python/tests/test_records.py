"""Log records never hold up the node: what finds no room is dropped, and counted."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pytest
from penstock._records import RecordHandler


class Pipe:
    """The runtime's end, read when the test says so."""

    def __init__(self) -> None:
        self.read_end, write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self.write_end = write_end
        self.handler = RecordHandler(write_end)
        self.data = b""

    def log(self, message: str) -> None:
        self.handler.handle(logging.LogRecord("test", logging.INFO, "test.py", 1, message, (), None))

    def read(self) -> None:
        try:
            while got := os.read(self.read_end, 65536):
                self.data += got
        except BlockingIOError:
            pass

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.data.splitlines()]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    thread = pipe.handler._finishing
    os.close(pipe.read_end)
    if thread is not None:
        thread.join()
    os.close(pipe.write_end)


def test_a_reader_that_does_not_read_holds_up_nobody_and_every_record_is_there_or_counted(pipe: Pipe) -> None:
    count = 5000  # more than a pipe holds
    for number in range(count):
        pipe.log(f"record {number}")
    thread = pipe.handler._finishing
    assert thread is not None  # a record was written in part
    while thread.is_alive():
        pipe.read()
    pipe.log("after")
    pipe.read()
    got = pipe.records()
    told = [record for record in got if "dropped" in record]
    kept = [str(record["message"]) for record in got if "dropped" not in record]
    assert kept == [f"record {number}" for number in range(len(kept) - 1)] + ["after"]
    assert [record["logger"] for record in told] == ["penstock"]
    assert len(kept) - 1 + sum(int(str(record["dropped"])) for record in told) == count


def test_the_last_thing_a_worker_does_is_to_write_what_is_left(pipe: Pipe) -> None:
    for number in range(5000):
        pipe.log(f"record {number}")
    pipe.read()
    pipe.handler.drain(60)
    pipe.read()
    assert pipe.data.endswith(b"}\n") and any("dropped" in record for record in pipe.records())


def test_what_closes_all_handlers_when_an_interpreter_ends_writes_what_is_left_before(pipe: Pipe) -> None:
    for number in range(5000):
        pipe.log(f"record {number}")
    pipe.read()
    pipe.handler.flush()  # as `logging.shutdown` does
    pipe.read()
    assert pipe.data.endswith(b"}\n") and any("dropped" in record for record in pipe.records())


def test_nobody_waits_long_for_a_runtime_that_does_not_read(pipe: Pipe) -> None:
    for number in range(5000):
        pipe.log(f"record {number}")
    pipe.handler.drain(0)  # returns


def test_a_message_of_a_megabyte_passes_and_a_longer_one_is_cut_and_says_so(pipe: Pipe) -> None:
    for length in (1_000_000, 2_000_000):
        pipe.log("x" * length)
        while (thread := pipe.handler._finishing) is not None and thread.is_alive():
            pipe.read()
        pipe.read()
    whole, cut = (str(record["message"]) for record in pipe.records())
    assert whole == "x" * 1_000_000
    assert cut.endswith("… 951424 characters left out")


def test_what_is_no_unicode_is_spelt_out(pipe: Pipe) -> None:
    pipe.log("caf\u00e9 \udcff")
    pipe.read()
    assert [record["message"] for record in pipe.records()] == ["caf\u00e9 \\udcff"]
