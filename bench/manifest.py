#!/usr/bin/env python3
"""How long `penstock validate` takes for a manifest of 1,000 nodes, and `penstock --help`: whole processes."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import PENSTOCK, figure, median, write

NODES = 1000
RUNS = 31
MODULE = """
import penstock
from penstock import Text

class Pass(penstock.Node):
    def process(self, text: Text) -> Text:
        return text
"""


def step(index: int) -> dict[str, Any]:
    """A node with something in most of its fields."""
    node: dict[str, Any] = {
        "id": f"node-{index}",
        "node_type": "nodes:Pass",
        "params": {"threshold": 0.5, "words": ["one", "two"], "nested": {"index": index}},
        "process_timeout": "30s",
    }
    if index % 2:
        node["python_packages"] = ["numpy==2.4.6", "scipy>=1.10,<2; python_version < '3.14'"]
    return node


def pipeline() -> dict[str, Any]:
    nodes = [{"id": "node-0", "node_type": "nodes:Pass"}, *(step(index) for index in range(1, NODES))]
    edges = [
        {"from": f"node-{index}", "to": f"node-{index + 1}", "depth": 1, "max_held": 0, "max_message_bytes": "4KiB"}
        for index in range(NODES - 1)
    ]
    session = {"shm_quota_mb": 4096}
    return {"version": "v1", "metadata": {"name": "large"}, "nodes": nodes, "connections": edges, "session": session}


def milliseconds(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([str(PENSTOCK), *arguments], stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nodes.py").write_text(MODULE)
        manifest = folder / "pipeline.json"
        manifest.write_text(json.dumps(pipeline(), indent=1))
        rounds = [(milliseconds("validate", str(manifest)), milliseconds("--help")) for _ in range(RUNS)]
    write(
        [
            figure("manifest.validate1000", median([validate for validate, _ in rounds]), "ms", "< 100", RUNS),
            figure("manifest.help", median([usage for _, usage in rounds]), "ms", "< 20", RUNS),
        ]
    )


if __name__ == "__main__":
    main()
