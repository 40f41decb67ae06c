"""What README shows must be true: its manifest is valid, its node compiles."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PENSTOCK = ROOT / "build" / "bin" / "penstock"


def snippet(language: str, number: int = 0) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(found) > number, f"README has no {language} snippet {number}"
    return str(found[number])


def test_the_node_compiles() -> None:
    compile(snippet("python"), "README.md", "exec")


@pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")
def test_the_manifest_is_valid(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # containers must be able to enter it
    manifest = tmp_path / "captions.yaml"
    manifest.write_text(snippet("yaml"), encoding="utf-8")
    done = subprocess.run([PENSTOCK, "validate", manifest], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")
def test_the_node_that_restarts_is_one_of_the_manifest(tmp_path: Path) -> None:
    head, _, tail = snippet("yaml").partition("  - id: asr\n")
    rest = tail[tail.index("  - id: print\n") :]
    tmp_path.chmod(0o755)  # containers must be able to enter it
    manifest = tmp_path / "captions.yaml"
    manifest.write_text(head + snippet("yaml", 1) + rest, encoding="utf-8")
    done = subprocess.run([PENSTOCK, "plan", manifest], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "restarts up to 3 in 60 s, 0.1 s apart at first" in done.stdout
    assert "timeout  30 s for a message" in done.stdout


def test_every_command_of_dev_that_readme_names_exists() -> None:
    named = set(re.findall(r"\./dev (\w+)", README))
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    assert {"demo", "test"} <= named <= set(re.findall(r"^  (\w+)", usage, re.MULTILINE))
