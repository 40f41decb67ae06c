"""`penstock validate` tells everything at once: of the manifest, of this host, and of the nodes' code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from repository import ROOT

PENSTOCK = ROOT / "build" / "bin" / "penstock"
pytestmark = pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")

NODES = """
from penstock import Audio, Node, Text

class Say(Node):
    def process(self) -> Text: ...

class Hear(Node):
    def process(self, sound: Audio) -> Text: ...
"""
MANIFEST = """version: v1
metadata: {name: x}
nodes:
  - {id: say, node_type: "nodes:Say", python: venv/bin/python}
  - id: hear
    node_type: nodes:Hear
    docker:
      python_version: "3.11"
      resource_limits: {memory_mb: 16777216, cpu_core: 1}
      volumes: [{host_path: missing, container_path: /m}]
  - {id: sink, node_type: text.sank}
connections:
  - {from: say, to: hear}
  - {from: hear, to: sink}
session: {shm_quota_mb: 8}
"""


def validate(folder: Path, manifest: str) -> subprocess.CompletedProcess[str]:
    folder.chmod(0o755)  # containers' users read code here
    (folder / "nodes.py").write_text(NODES, encoding="utf-8")
    (folder / "pipeline.yaml").write_text(manifest, encoding="utf-8")
    return subprocess.run(
        [PENSTOCK, "validate", "pipeline.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_errors_of_every_kind_are_told_in_one_run(tmp_path: Path) -> None:
    done = validate(tmp_path, MANIFEST)

    assert done.returncode == 2
    told = [line.split(": ", 1) for line in done.stderr.splitlines()]
    beginnings = {
        "pipeline.yaml:4:47": f"the interpreter '{tmp_path}/venv/bin/python' of node 'say' does not exist",
        "pipeline.yaml:9:36": "'memory_mb' of node 'hear' is 16777216, but this host has ",
        "pipeline.yaml:9:46": "unknown key 'cpu_core' in 'resource_limits'; did you mean 'cpu_cores'?",
        "pipeline.yaml:10:29": f"the volume '{tmp_path}/missing' of node 'hear' does not exist",
        "pipeline.yaml:11:27": "there is no native node 'text.sank'; did you mean 'text.sink'?",
        "pipeline.yaml:13:5": "output 'out' of node 'say' sends Text (nodes.py:4), but input 'in' of node 'hear' takes "
        "Audio (nodes.py:7)",
        "pipeline.yaml:15:25": "'shm_quota_mb' is 8; the least is 16",
    }
    assert [line[0] for line in told] == [*beginnings, "7 errors"]
    for place, text in told[:-1]:
        assert text.startswith(beginnings[place])


def test_ports_are_checked_of_a_manifest_that_is_good_otherwise(tmp_path: Path) -> None:
    nodes = "nodes: [{id: say, node_type: 'nodes:Say'}, {id: sink, node_type: text.sink}]\n"
    head = "version: v1\nmetadata: {name: x}\n" + nodes

    done = validate(tmp_path, head + "connections: [{from: say, to: sink, to_input: text}]\n")
    assert done.returncode == 2
    assert done.stderr == "pipeline.yaml:4:47: node 'sink' has no input 'text'; known are 'in'\n"
    assert validate(tmp_path, head + "connections: [{from: say, to: sink}]\n").returncode == 0
