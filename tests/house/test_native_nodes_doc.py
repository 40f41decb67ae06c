"""docs/native-nodes.md shows code that is built and run, and names what there is."""

from __future__ import annotations

import re

import pytest
from repository import ROOT, SOURCE

PAGE = (ROOT / "docs" / "native-nodes.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "native-node"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = {"cpp": "words.cpp", "cmake": "CMakeLists.txt", "yaml": "pipeline.yaml"}


def test_there_is_code_of_each_file() -> None:
    assert {language for language, _ in BLOCKS} == set(FILES)


@pytest.mark.parametrize(("language", "code"), BLOCKS)
def test_code_is_that_of_the_example(language: str, code: str) -> None:
    text = (EXAMPLE / FILES[language]).read_text(encoding="utf-8")
    assert code in text


def test_the_table_of_a_nodes_life_has_every_call() -> None:
    header = (SOURCE / "nodes" / "node.h").read_text(encoding="utf-8")
    node = header[header.index("\nclass Node {") : header.index("\n/// One port of a node")]
    calls = set(re.findall(r"virtual auto ([A-Z]\w+)\(", node))
    assert {"Setup", "Process", "Tick"} <= calls
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == calls


def test_the_version_that_is_named_is_the_one_there_is() -> None:
    header = (SOURCE / "nodes" / "node.h").read_text(encoding="utf-8")
    version = re.search(r"kAbiVersion = (\d+);", header)
    assert version is not None
    assert f"this worker has version {version[1]}: rebuild it" in " ".join(PAGE.split())
