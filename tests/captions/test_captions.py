"""The flagship example: ten captions from recorded speech, computed, through three Pythons."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples/speech-captions"
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
DEADLINE = 1800  # seconds; the first run builds three environments
EXPECTED = (EXAMPLE / "expected.txt").read_text().splitlines()
SENTENCES = [line.partition(" Hz  ")[2] for line in EXPECTED]


def recording(tmp_path: Path, *arguments: str) -> Path:
    """A recording of its own, joined from the announcements."""
    output = tmp_path / "speech.wav"
    subprocess.run([str(EXAMPLE / "fetch_audio.py"), "--output", str(output), *arguments], check=True, timeout=DEADLINE)
    return output


def captions(tmp_path: Path, audio: Path, *arguments: str, **params: object) -> list[str]:
    """What the example prints for a recording."""
    manifest = yaml.safe_load((EXAMPLE / "captions.yaml").read_text())
    by_id = {node["id"]: node for node in manifest["nodes"]}
    by_id["source"]["params"]["url"] = str(audio)
    by_id["captions"].setdefault("params", {}).update(params)
    # Beside the nodes, since node types are relative to the manifest.
    if not (tmp_path / "nodes").exists():
        shutil.copytree(EXAMPLE / "nodes", tmp_path / "nodes")
    tmp_path.chmod(0o755)
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(manifest))
    done = subprocess.run(
        [str(PENSTOCK), "run", str(path), *arguments], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def sentences(lines: list[str]) -> list[str]:
    return [line.partition(" Hz  ")[2] for line in lines]


def pitches(lines: list[str]) -> list[int]:
    return [int(line.partition(" Hz")[0].rpartition("]")[2]) for line in lines]


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("audio"))


def test_containers_give_the_expected_captions(tmp_path: Path, audio: Path) -> None:
    assert captions(tmp_path, audio) == EXPECTED


def test_processes_give_the_same_captions(tmp_path: Path, audio: Path) -> None:
    assert captions(tmp_path, audio, "--placement", "process") == EXPECTED


def test_the_expected_sentences_and_pitches_are_those_measured_outside_the_product() -> None:
    assert SENTENCES[0] == "all circuits are busy now" and len(SENTENCES) == 10
    assert all(
        abs(got - want) <= 1 for got, want in zip(pitches(EXPECTED), [175, 186, 183, 183, 197, 196, 188, 191, 193, 203])
    )


def test_permuted_and_dropped_announcements_give_other_captions(tmp_path: Path) -> None:
    audio = recording(tmp_path, "--prompts", "conf-now-recording,conf-invalid,all-circuits-busy-now")
    assert sentences(captions(tmp_path, audio)) == [SENTENCES[8], SENTENCES[2], SENTENCES[0]]


def test_silence_gives_no_captions(tmp_path: Path) -> None:
    assert captions(tmp_path, recording(tmp_path, "--silence", "5")) == []


def test_each_caption_names_the_interpreters_and_containers_that_made_it(tmp_path: Path) -> None:
    audio = recording(tmp_path, "--prompts", "conf-kicked")
    (line,) = captions(tmp_path, audio, json=True)
    handled = {entry["node"]: entry for entry in json.loads(line)["handled_by"]}
    assert {node: entry["python"].rpartition(".")[0] for node, entry in handled.items()}.items() >= {
        "vad": "3.11",
        "asr": "3.10",
        "pitch": "3.9",
    }.items()
    assert len({handled[node]["host"] for node in ("vad", "asr", "pitch")}) == 3
