"""What nodes print is shown on a terminal, not obeyed by it; pipes and files get the bytes."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import DEADLINE, PENSTOCK, SINK, Project, node, penstock

NODES = r"""
import sys
import penstock
from penstock import Text

EVIL = "\x1b]52;c;ZXZpbA==\x07 \x1b]0;title\x1b\\ \x1b[2J \x9b2J \b\r"


class Evil(penstock.Node):
    def process(self):
        print("out", EVIL, "end")
        print("err", EVIL, "end", file=sys.stderr)
        print("\x1b[32mgreen")
        yield Text("sink " + EVIL + " end")


class Raise(penstock.Node):
    def process(self, text):
        raise ValueError("raised " + EVIL + " end")
"""
SHOWN = r"␛]52;c;ZXZpbA==␇ ␛]0;title␛\ ␛[2J \x9b2J ␈␍ end"
RAW = "\x1b]52;c;ZXZpbA==\x07 \x1b]0;title\x1b\\ \x1b[2J \x9b2J \b\r end"


def on_a_terminal(*arguments: str, env: dict[str, str]) -> str:
    """What a terminal would be sent, that of `script`."""
    done = subprocess.run(
        ["script", "-qec", shlex.join([str(PENSTOCK), *arguments]), "/dev/null"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=env,
        timeout=DEADLINE,
        check=False,
    )
    return done.stdout.decode()


@pytest.fixture
def evil(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", str(project.folder / "state"))
    (project.folder / "nodes.py").write_text(NODES)
    return project


def test_a_terminal_is_not_commanded_by_what_nodes_print(evil: Project) -> None:
    evil.chain(node("evil", "Evil"), SINK)
    shown = on_a_terminal("run", str(evil.manifest), env={**os.environ})
    evil.chain(node("evil", "Evil"), node("raise", "Raise"))
    shown += on_a_terminal("run", str(evil.manifest), env={**os.environ})
    for beginning in ("out ", "err ", "sink ", "raised "):
        assert beginning + SHOWN in shown, shown
    assert "green\x1b[0m" in shown, "colours pass, and end with their line"
    # Of Penstock's own there are colours, and the line of progress.
    rest = shown.replace("\r\n", "\n").replace("\r\x1b[K", "")
    for colour in ("0", "2", "31", "32", "33"):
        rest = rest.replace(f"\x1b[{colour}m", "")
    assert not [c for c in rest if c != "\n" and (c < " " or "\x7f" <= c <= "\x9f")], repr(rest)

    for options in ([], ["--json"]):
        logs = on_a_terminal("logs", *options, env={**os.environ})
        assert not {"\x07", "\x08", "\x9b"} & set(logs), repr(logs)
        assert "\x1b]" not in logs and "\x1b[2J" not in logs, repr(logs)
        assert options or f"raised {SHOWN}" in logs


def test_pipes_and_files_get_the_bytes(evil: Project) -> None:
    evil.chain(node("evil", "Evil"), SINK)
    done = penstock("run", str(evil.manifest))
    raw = RAW.replace("\r", "\n")  # as this end reads lines
    assert done.stdout == f"sink {raw}\n"
    assert f"out {raw}" in done.stderr
    assert f"out {raw}" in penstock("logs").stdout
    evil.chain(node("evil", "Evil"), node("raise", "Raise"))
    assert f"raised {raw}" in penstock("run", str(evil.manifest)).stderr


def test_a_file_gets_the_bytes_of_a_sink(evil: Project, tmp_path: Path) -> None:
    evil.chain(node("evil", "Evil"), SINK)
    with (tmp_path / "out").open("wb") as file:
        subprocess.run(
            [str(PENSTOCK), "run", "-q", str(evil.manifest)],
            stdout=file,
            stderr=subprocess.DEVNULL,
            timeout=DEADLINE,
            check=False,
        )
    assert (tmp_path / "out").read_bytes().decode() == f"sink {RAW}\n"
