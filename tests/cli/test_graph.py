"""`penstock graph` draws what `plan` says, for Markdown and for browsers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from conftest import SINK, Project, penstock

SVG = "{http://www.w3.org/2000/svg}"
BIG = {"id": "big", "node_type": "nodes:Shout", "docker": {"python_version": "3.11"}}


@pytest.fixture
def drawn(project: Project) -> Project:
    count = {"id": "count", "node_type": "nodes:Count"}
    connections: list[dict[str, Any]] = [
        {"from": "count", "to": "big"},
        {"from": "big", "to": "sink"},
        {"from": "count", "to": "late", "policy": "latest"},
    ]
    project.write([count, BIG, SINK, {"id": "late", "node_type": "json.sink"}], connections)
    return project


def test_mermaid_has_every_node_and_edge(drawn: Project) -> None:
    done = penstock("graph", str(drawn.manifest))
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "flowchart LR"
    assert 'n1["big<br/>nodes:Shout<br/>container, Python 3.11<br/>512 MB, 1 cores"]:::container' in lines
    assert 'n2["sink<br/>text.sink<br/>native"]:::native' in lines
    assert 'n0 -->|"block 8"| n1' in lines
    assert 'n0 -.->|"latest 1"| n3' in lines


def test_svg_has_every_node_and_edge_in_its_frame(drawn: Project, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.svg"
    done = penstock("graph", str(drawn.manifest), "--output", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    root = ET.parse(file).getroot()
    assert root.findtext(f"{SVG}title") == "test"
    texts = [text.text for text in root.iter(f"{SVG}text")]
    for said in ("count", "big", "container, Python 3.11", "sink", "late", "latest 1"):
        assert said in texts
    titles = [path.findtext(f"{SVG}title") for path in root.findall(f"{SVG}path")]
    assert titles == ["count.out->big.in", "big.out->sink.in", "count.out->late.in"]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for rect in root.iter(f"{SVG}rect"):
        assert float(rect.attrib["x"]) + float(rect.attrib["width"]) <= width
        assert float(rect.attrib["y"]) + float(rect.attrib["height"]) <= height


def test_the_format_is_said_or_in_the_name(drawn: Project) -> None:
    assert penstock("graph", str(drawn.manifest), "--format", "svg").stdout.startswith("<svg")
    assert penstock("graph", str(drawn.manifest), "--output", "-").stdout.startswith("flowchart")
    done = penstock("graph", str(drawn.manifest), "--format", "png")
    assert done.returncode == 2
    assert "png" in done.stderr and "svg" in done.stderr


def test_a_picture_that_cannot_be_written_is_an_error(drawn: Project) -> None:
    done = penstock("graph", str(drawn.manifest), "--output", "/nowhere/x.svg")
    assert done.returncode == 3
    assert "write the picture to '/nowhere/x.svg'" in done.stderr


def test_an_invalid_pipeline_is_told_as_validate_tells_it(project: Project) -> None:
    project.chain({"id": "a", "node_type": "text.snk"})
    done = penstock("graph", str(project.manifest))
    assert done.returncode == 2
    assert done.stderr == penstock("validate", str(project.manifest)).stderr
