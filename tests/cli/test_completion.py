"""Shells complete commands, options, their values, nodes of the manifest, and files."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import DEADLINE, PENSTOCK, SHOW, SINK, Project, penstock


def candidates(*words: str, cwd: Path | None = None) -> list[str]:
    lines = penstock("completion", "words", "--", *words, cwd=cwd).stdout.splitlines()
    return lines[:1] + [line.split("\t")[0] for line in lines[1:]]


def test_commands_and_options() -> None:
    assert candidates("ru") == ["words", "run"]
    assert {"run", "doctor", "nodes", "images"} < set(candidates(""))
    assert "words" not in candidates("completion", "")[1:], "what the scripts ask is not for people"
    assert candidates("images", "pr") == ["words", "prune"]
    assert candidates("run", "--pl") == ["words", "--placement"]
    assert candidates("nonsense", "--pl") == ["words"]


def test_values_of_options() -> None:
    assert candidates("run", "x.yaml", "--placement", "") == ["words", "declared", "process"]
    assert candidates("run", "--placement=pro") == ["words", "--placement=process"]
    assert candidates("run", "--placement", "=", "pro") == ["words", "process"], "as bash takes it apart"
    assert candidates("logs", "--level", "w") == ["words", "warning"]
    assert candidates("run", "--report", "") == ["files"]
    assert candidates("completion", "") == ["words", "bash", "zsh", "fish"]


def test_files_nodes_and_native_nodes(project: Project) -> None:
    project.chain(SHOW, SINK)
    assert candidates("run", "") == ["files"]
    assert candidates("run", str(project.manifest), "--set", "sh") == ["words", "show."]
    assert "text.sink" in candidates("nodes", "te")


def run_shell(shell: str, script: str, cwd: Path) -> str:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed here")
    environment = {**os.environ, "PATH": f"{PENSTOCK.parent}:{os.environ['PATH']}", "HOME": str(cwd)}
    done = subprocess.run(
        [program, "-c", script], capture_output=True, text=True, timeout=DEADLINE, check=False, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bash(tmp_path: Path) -> None:
    (tmp_path / "my pipeline.yaml").write_text("")
    script = """
        eval "$(penstock completion bash)"
        tab() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _penstock 2>/dev/null
            printf '%s\\n' "${COMPREPLY[@]}"
        }
        tab penstock doc; tab penstock run --placement ''; tab penstock run my
    """
    assert run_shell("bash", script, tmp_path).splitlines() == ["doctor", "declared", "process", "my pipeline.yaml"]


def test_fish(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text("")
    script = """
        penstock completion fish | source
        complete -C 'penstock doc'; complete -C 'penstock run --placement '; complete -C 'penstock run pipe'
    """
    words = [line.split("\t")[0] for line in run_shell("fish", script, tmp_path).splitlines()]
    assert words == ["doctor", "declared", "process", "pipeline.yaml"]


def test_zsh(tmp_path: Path) -> None:
    """In its real line editor, which needs a terminal."""
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed here")
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "PATH": f"{PENSTOCK.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TERM": "dumb",
    }
    shell = subprocess.Popen(
        [zsh, "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        terminal.write(b'autoload -Uz compinit; compinit -u; eval "$(penstock completion zsh)"; print RE""ADY\n')
        shown = b""
        while b"READY" not in shown:
            shown += terminal.read(4096)
        # A tab, the beginning of the line, its end: keys are handled one after the other.
        terminal.write(b"penstock doct\t\x01print \x05 > out.txt; exit\n")
        with contextlib.suppress(OSError):  # as Linux says that the other end is closed
            while terminal.read(4096):
                pass
    assert shell.wait(DEADLINE) == 0
    assert (tmp_path / "out.txt").read_text().split() == ["penstock", "doctor"]


def test_a_shell_that_is_not_known_is_refused() -> None:
    done = penstock("completion", "csh")
    assert done.returncode == 2
    assert "csh" in done.stderr and "fish" in done.stderr
    assert penstock("completion").returncode == 2
