"""Files at the ends of a pipeline, standard input and output among them; and parts of a pipeline alone."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import wave
from pathlib import Path
from typing import Any

import pytest
from conftest import DEADLINE, PENSTOCK, SINK, Project, penstock

SOURCE = {"id": "source", "node_type": "media.source", "params": {"url": "missing.wav", "audio": {"rate": 8000}}}
LINES = {"id": "lines", "node_type": "text.source", "params": {"path": "missing.txt"}}
FRAMES = {"id": "frames", "node_type": "nodes:Frames"}
SHOUT = {"id": "shout", "node_type": "nodes:Shout"}
COUNT = {"id": "count", "node_type": "nodes:Count"}


def second_of_audio() -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * 8000)
    return data.getvalue()


def sent(stdout: str, kind: str = "text") -> list[Any]:
    return [json.loads(line)[kind] for line in stdout.splitlines()]


# ---- files at the ends


def test_audio_through_a_pipe(project: Project) -> None:
    project.chain(SOURCE, FRAMES, SINK)
    done = penstock("run", "-q", str(project.manifest), "-", stdin=second_of_audio())
    assert (done.returncode, done.stdout) == (0, "8000 frames\n"), done.stderr


def test_audio_from_a_redirected_file(project: Project) -> None:
    project.chain(SOURCE, FRAMES, SINK)
    (project.folder / "a.raw").write_bytes(second_of_audio())
    with (project.folder / "a.raw").open("rb") as file:
        done = subprocess.run(
            [str(PENSTOCK), "run", "-q", str(project.manifest), "-"],
            stdin=file,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
    assert done.stdout == b"8000 frames\n", done.stderr


def test_an_input_is_relative_to_where_one_is(project: Project, tmp_path: Path) -> None:
    project.chain(SOURCE, FRAMES, SINK)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "talk.wav").write_bytes(second_of_audio())
    for words in (["talk.wav"], ["--input", "talk.wav"], ["--input", "source=talk.wav"]):
        done = penstock("run", "-q", str(project.manifest), *words, cwd=elsewhere)
        assert done.stdout == "8000 frames\n", done.stderr


def test_text_through_pipes(project: Project) -> None:
    project.chain(LINES, SHOUT, SINK)
    done = penstock("run", "-q", str(project.manifest), "-", "--output", "-", stdin=b"one\r\ntwo\nthree")
    assert done.stdout == "ONE!\nTWO!\nTHREE!\n", done.stderr


def test_an_output_goes_to_a_file(project: Project, tmp_path: Path) -> None:
    project.chain(COUNT, SINK)
    done = penstock("run", "-q", str(project.manifest), "--output", "out.txt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "out.txt").read_text() == "0\n1\n2\n"


def test_a_recording_is_read_and_written_where_the_command_line_says(project: Project, tmp_path: Path) -> None:
    project.chain(SOURCE, {"id": "sink", "node_type": "media.sink", "params": {"path": "x.wav"}})
    (tmp_path / "talk.wav").write_bytes(second_of_audio())
    done = penstock("run", "-q", str(project.manifest), "talk.wav", "--output", "copy.wav", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy.wav").read_bytes() == second_of_audio()


def test_json_lines_are_read_and_checked(project: Project) -> None:
    project.chain(
        {"id": "values", "node_type": "json.source", "params": {"path": "x"}}, {"id": "end", "node_type": "json.sink"}
    )
    done = penstock("run", "-q", str(project.manifest), "-", stdin=b'{"a": 1}\n\n[2]\n')
    assert sent(done.stdout, "value") == [{"a": 1}, [2]], done.stderr
    done = penstock("run", "-q", str(project.manifest), "-", stdin=b"1\nnonsense\n")
    assert done.returncode == 1
    assert "line 2 of '/proc/" in done.stderr and "is not JSON" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--input", "nowhere.wav"], "'--input nowhere.wav': cannot read 'nowhere.wav': No such file or directory"),
        (["--input", "sorce=-"], "'--input sorce=-': the pipeline has no node 'sorce'; did you mean 'source'?"),
        (
            ["--input", "frames=-"],
            "'--input frames=-': node 'frames' (nodes:Frames) reads no file by itself; use --set",
        ),
        (["--output", "/nowhere/x"], "'--output /nowhere/x': there is no folder '/nowhere'"),
        (["--output", "source=x"], "'--output source=x': node 'source' (media.source) writes no file by itself"),
    ],
)
def test_ends_that_do_not_fit_are_told(project: Project, words: list[str], says: str) -> None:
    project.chain(SOURCE, FRAMES, SINK)
    done = penstock("run", str(project.manifest), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"penstock: error: {says}" in done.stderr, done.stderr


def test_of_several_ends_one_is_named(project: Project) -> None:
    second = {"id": "second", "node_type": "text.sink"}
    project.write([COUNT, SINK, second], [{"from": "count", "to": "sink"}, {"from": "count", "to": "second"}])
    done = penstock("run", str(project.manifest), "--output", "x")
    assert done.returncode == 2
    assert "nodes 'sink', 'second' each write a file: write which is meant, as in --output sink=x" in done.stderr
    done = penstock("run", "-q", str(project.manifest), "--output", "second=x", cwd=project.folder)
    assert done.stdout == (project.folder / "x").read_text() == "0\n1\n2\n"


def test_a_pipeline_without_a_file_to_read_says_so(project: Project) -> None:
    project.chain(COUNT, SINK)
    done = penstock("run", str(project.manifest), "-")
    assert done.returncode == 2
    assert "no native node of the pipeline reads a file; use --set for parameters" in done.stderr


def test_manifest_and_input_cannot_both_be_standard_input() -> None:
    done = penstock("run", "-", "-")
    assert done.returncode == 2
    assert "standard input is the manifest already" in done.stderr


def test_a_socket_as_standard_input_is_refused_with_the_remedy(project: Project) -> None:
    project.chain(LINES, SINK)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [str(PENSTOCK), "run", str(project.manifest), "-"],
            stdin=theirs,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
    assert done.returncode == 2
    assert b"put 'cat |' before penstock" in done.stderr


def test_a_reader_that_has_enough_ends_an_endless_input(project: Project) -> None:
    project.chain(LINES, SHOUT, SINK)
    command = f"yes | {PENSTOCK} run -q {project.manifest} - | head -n 3; echo ${{PIPESTATUS[1]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=DEADLINE, check=False)
    assert done.stdout == b"Y!\nY!\nY!\n0\n", done.stderr


# ---- parts


@pytest.fixture
def chain(project: Project) -> Project:
    project.chain(COUNT, SHOUT, {"id": "again", "node_type": "nodes:Shout"}, SINK)
    return project


def test_only_one_node_with_its_input_from_a_pipe(chain: Project) -> None:
    done = penstock("run", "-q", str(chain.manifest), "-", "--only", "shout", stdin=b"a\nb\n")
    assert done.returncode == 0, done.stderr
    assert sent(done.stdout) == ["A!", "B!"]


def test_from_a_node_to_the_end(chain: Project) -> None:
    (chain.folder / "words.txt").write_text("a\n")
    done = penstock("run", "-q", str(chain.manifest), "--from", "again", "--input", str(chain.folder / "words.txt"))
    assert (done.returncode, done.stdout) == (0, "A!\n"), done.stderr


def test_only_a_source_shows_what_it_sends(chain: Project) -> None:
    done = penstock("run", "-q", str(chain.manifest), "--only", "count", "--set", "count.n=2")
    assert sent(done.stdout) == ["0", "1"], done.stderr


def test_edges_between_the_nodes_of_a_part_stay(chain: Project) -> None:
    plan = json.loads(penstock("plan", "--json", str(chain.manifest), "--only", "count", "--only", "shout").stdout)
    assert [edge["id"] for edge in plan["edges"]] == ["count.out->shout.in", "shout.out->shout-output.in"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--only", "shuot"], "'--only shuot': the pipeline has no node 'shuot'; did you mean 'shout'?"),
        (["--from", "x"], "'--from x': the pipeline has no node 'x'"),
        (
            ["--only", "shout"],
            "node 'shout' gets its input 'in' from node 'count', which is left out: give it a file with --input shout=",
        ),
        (["--only", "shout", "--input", "nowhere.txt"], "'--input nowhere.txt': cannot read 'nowhere.txt'"),
    ],
)
def test_a_part_that_cannot_be_is_told(chain: Project, words: list[str], says: str) -> None:
    done = penstock("run", str(chain.manifest), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"penstock: error: {says}" in done.stderr, done.stderr


def test_an_audio_node_alone(project: Project) -> None:
    project.chain(SOURCE, FRAMES, SINK)
    done = penstock(
        "run", "-q", str(project.manifest), "-", "--only", "frames", "--input-as", "audio", stdin=second_of_audio()
    )
    assert sent(done.stdout) == ["8000 frames"], done.stderr


def test_standard_input_of_a_terminal_is_read_to_its_end(project: Project) -> None:
    project.chain(LINES, SHOUT, SINK)
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(PENSTOCK), "run", "-q", str(project.manifest), "-"], stdin=theirs, stdout=subprocess.PIPE
    )
    os.close(theirs)
    os.write(ours, b"typed\n\x04")
    out, _ = process.communicate(timeout=DEADLINE)
    os.close(ours)
    assert out == b"TYPED!\n"
