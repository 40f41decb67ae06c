"""docs/cli.md is what the program says of itself, and docs/json.md what it prints."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from repository import ROOT

PENSTOCK = ROOT / "build" / "bin" / "penstock"
TOOL = ROOT / "tools" / "cli_doc.py"
needs_penstock = pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")


@needs_penstock
def test_the_page_is_what_the_program_says() -> None:
    done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_penstock
def test_every_command_is_on_the_page_with_an_example_of_its_own() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^##+ (penstock[^\n]*)\n\n```text\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL))
    assert {"penstock", "penstock run", "penstock doctor", "penstock images prune"} <= set(sections)
    for name, text in sections.items():
        assert re.search(rf"^Examples?:\n  {re.escape(name)}\b", text, re.MULTILINE), name


def test_the_page_says_how_it_is_made() -> None:
    assert "tools/cli_doc.py" in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
