"""README names what there is, and the node that it restarts is restarted as it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import snippets
from repository import ROOT

README = ROOT / "README.md"
PENSTOCK = ROOT / "build" / "bin" / "penstock"


@pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")
def test_the_node_that_restarts_is_one_of_the_manifest(tmp_path: Path) -> None:
    *_, (_, _, manifest) = snippets.manifests(README)
    done = snippets.run_verb(PENSTOCK, "plan", tmp_path, manifest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "restarts up to 3 in 60 s, 0.1 s apart at first" in done.stdout
    assert "timeout  30 s for a message" in done.stdout


def test_every_command_of_dev_that_readme_names_exists() -> None:
    named = set(re.findall(r"\./dev (\w+)", README.read_text(encoding="utf-8")))
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    assert {"demo", "test"} <= named <= set(re.findall(r"^  (\w+)", usage, re.MULTILINE))
