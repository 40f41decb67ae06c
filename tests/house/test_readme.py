"""What README shows must be true: its manifest is valid, its node compiles."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PENSTOCK = ROOT / "build" / "bin" / "penstock"


def snippet(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README has no {language} snippet"
    return found.group(1)


def test_the_node_compiles() -> None:
    compile(snippet("python"), "README.md", "exec")


@pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")
def test_the_manifest_is_valid(tmp_path: Path) -> None:
    manifest = tmp_path / "captions.yaml"
    manifest.write_text(snippet("yaml"), encoding="utf-8")
    done = subprocess.run([PENSTOCK, "validate", manifest], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_of_dev_that_readme_names_exists() -> None:
    named = set(re.findall(r"\./dev (\w+)", README))
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    assert {"demo", "test"} <= named <= set(re.findall(r"^  (\w+)", usage, re.MULTILINE))
