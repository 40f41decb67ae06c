"""The node that joins words and pitch, run without a runtime."""

import json
import platform
from typing import Any

import pytest
from nodes.captions import Captions
from nodes.handled_by import stamp
from penstock import Json, Text, testing

SECOND = 1_000_000_000


def words(text: str, start: float, end: float) -> tuple[str, Text]:
    times = {"start_ns": round(start * SECOND), "end_ns": round(end * SECOND)}
    metadata = stamp("asr", stamp("vad", times))
    return "text", Text(text, time=round(start * SECOND), metadata=metadata)


def pitch(hertz: int, start: float) -> tuple[str, Json]:
    return "pitch", Json({"hz": hertz}, time=round(start * SECOND), metadata=stamp("pitch", stamp("vad")))


def lines(*inputs: Any, **params: Any) -> list[str]:
    return [message.text for message in testing.run(Captions, inputs, params=params)]


def test_a_caption_comes_when_both_parts_of_a_segment_have_come() -> None:
    assert lines(words("all circuits are busy now", 0.42, 2.11), pitch(175, 0.42)) == [
        "[  0.42 –   2.11 s] 175 Hz  all circuits are busy now"
    ]


def test_parts_are_joined_by_the_segments_time_in_whatever_order_they_come() -> None:
    captions = lines(
        pitch(201, 1), pitch(202, 3), pitch(203, 5), words("one", 1, 2), words("three", 5, 6), words("two", 3, 4)
    )
    assert [caption.split("] ")[1] for caption in captions] == ["201 Hz  one", "203 Hz  three", "202 Hz  two"]


def test_a_caption_carries_its_segments_time_and_everyone_who_handled_it() -> None:
    (caption,) = testing.run(Captions, [words("hello", 7, 8), pitch(99, 7)])
    assert caption.time == 7 * SECOND
    assert [entry["node"] for entry in caption.metadata["handled_by"]] == ["vad", "asr", "pitch", "captions"]
    assert caption.metadata["handled_by"][-1]["python"] == platform.python_version()
    assert caption.metadata["handled_by"][-1]["host"] == platform.node()


def test_trace_adds_who_handled_the_caption() -> None:
    (caption,) = lines(words("hello", 7, 8), pitch(99, 7), trace=True)
    assert f"captions: Python {platform.python_version()} on {platform.node()}" in caption.splitlines()[1]


def test_json_gives_one_object_a_caption() -> None:
    (caption,) = lines(words("hello", 7, 8.5), pitch(99, 7), json=True)
    value = json.loads(caption)
    assert (value["start"], value["end"], value["hz"], value["text"]) == (7.0, 8.5, 99, "hello")
    assert len(value["handled_by"]) == 4


def test_a_sound_without_words_gives_no_caption() -> None:
    assert lines(words("", 1, 2), pitch(150, 1)) == []


def test_a_part_that_never_comes_is_an_error_and_not_a_missing_line() -> None:
    with pytest.raises(RuntimeError, match="1 segments have words or pitch but not both"):
        lines(pitch(150, 1))


def test_unknown_params_are_named() -> None:
    with pytest.raises(ValueError, match="tracee"):
        lines(tracee=True)
