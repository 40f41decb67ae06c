"""What `./dev bench kills` counts as lost, doubled, out of order and changed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module("kills")


def arrived(bench: Any, folder: Path, *arrivals: tuple[int, int, int]) -> Any:
    """Number, incarnation of the worker, and when, of messages as the sink notes them."""
    path = folder / "arrived"
    path.write_bytes(b"".join(bench.stream.ARRIVAL.pack(*arrival, True) for arrival in arrivals))
    found = bench.Arrivals(path)
    found.look()
    return found


def test_lost_doubled_and_reordered_are_told_apart(bench: Any, tmp_path: Path) -> None:
    arrivals = arrived(bench, tmp_path, *((number, 7, 0) for number in (0, 1, 1, 4, 3, 3, 5)))
    outcome = bench.account(arrivals, [], messages=7)
    assert (outcome.lost, outcome.doubled, outcome.reordered) == (2, 2, 1)


def test_the_silence_ends_with_the_first_message_of_another_worker(bench: Any, tmp_path: Path) -> None:
    arrivals = arrived(bench, tmp_path, (0, 7, 1_000_000), (1, 7, 4_000_000), (2, 8, 9_000_000))
    outcome = bench.account(arrivals, [(2_000_000, 7), (9_500_000, 8)], messages=3)
    assert (outcome.kills, outcome.survived, outcome.silences_ms) == (2, 1, [7.0])


def test_an_arrival_that_is_half_written_is_read_later(bench: Any, tmp_path: Path) -> None:
    arrivals = arrived(bench, tmp_path, (0, 7, 1))
    whole = bench.stream.ARRIVAL.pack(1, 7, 2, True)
    with (tmp_path / "arrived").open("ab", buffering=0) as file:
        file.write(whole[:9])
        assert arrivals.look() == 1
        file.write(whole[9:])
    assert arrivals.look() == 2


@pytest.mark.parametrize("at", [0, 16, 20, 100], ids=["number", "checksum", "body", "end"])
def test_a_message_of_which_a_byte_is_another_is_changed(bench: Any, at: int) -> None:
    message = bytearray(bench.stream.make(300, 101, worker=5))
    assert bench.stream.is_unchanged(message)
    message[at] ^= 1
    assert not bench.stream.is_unchanged(message)


def test_all_systems_are_killed_at_the_same_instants(bench: Any) -> None:
    assert bench.schedule(3, 10) == bench.schedule(3, 10) != bench.schedule(4, 10)
