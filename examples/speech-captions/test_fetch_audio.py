"""The recording that the example's figures hold for, and others made from the same announcements."""

import hashlib
import subprocess
import sys
import wave
from pathlib import Path

HERE = Path(__file__).parent

# Of the joined recording as numpy and PyAV make it; the captions in expected.txt are this file's.
SHA256_OF_THE_DEMO = "1044d7194130171714038208a4487bc390f11efb44dfdc437e42d0895772d4a9"


def fetch(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(HERE / "fetch_audio.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def seconds(file: Path) -> float:
    with wave.open(str(file)) as recording:
        assert (recording.getframerate(), recording.getnchannels(), recording.getsampwidth()) == (16_000, 1, 2)
        return recording.getnframes() / 16_000


def sentences_of(captions: str) -> list[str]:
    return [line.partition(" Hz  ")[2] for line in captions.splitlines()]


def test_the_demo_is_the_recording_that_was_measured(tmp_path: Path) -> None:
    wav = tmp_path / "demo.wav"
    done = fetch("--output", wav)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(wav.read_bytes()).hexdigest() == SHA256_OF_THE_DEMO
    expected = sentences_of((HERE / "expected.txt").read_text(encoding="utf-8"))
    assert (tmp_path / "demo.txt").read_text(encoding="utf-8").splitlines() == expected
    assert len(expected) == 10


def test_prompts_are_chosen_ordered_and_dropped(tmp_path: Path) -> None:
    done = fetch("--prompts", "conf-kicked,conf-invalid,all-circuits-busy-now", "--drop", "conf-invalid",
                 "--output", tmp_path / "two.wav")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "two.txt").read_text(encoding="utf-8").splitlines() == [
        "you have been kicked from this conference",
        "all circuits are busy now",
    ]


def test_silence_says_nothing(tmp_path: Path) -> None:
    done = fetch("--silence", 2.5, "--output", tmp_path / "silence.wav")
    assert done.returncode == 0, done.stderr
    assert seconds(tmp_path / "silence.wav") == 2.5
    assert (tmp_path / "silence.txt").read_text(encoding="utf-8") == ""


def test_an_unknown_prompt_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    done = fetch("--prompts", "conf-kicke", "--output", tmp_path / "none.wav")
    assert done.returncode == 3
    assert "no prompt 'conf-kicke'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    fetch("--silence", 1, "--output", tmp_path / "a.wav")
    before = (tmp_path / "a.wav").stat().st_mtime_ns
    assert "is there" in fetch("--silence", 1, "--output", tmp_path / "a.wav").stdout
    assert (tmp_path / "a.wav").stat().st_mtime_ns == before
