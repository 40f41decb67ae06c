"""Runs the real `penstock` on pipelines of tests/memory/nodes.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", HERE.parents[1] / "build/bin/penstock"))
DEADLINE = 180  # seconds until a hanging run is a failed test; nothing is measured against it

SMALL_CONTAINER = {"python_version": "3.11", "resource_limits": {"memory_mb": 128, "cpu_cores": 1}}


@dataclass
class Project:
    """A folder with nodes.py and a manifest."""

    folder: Path

    def write(
        self, nodes: list[dict[str, Any]], connections: list[dict[str, Any]], session: dict[str, Any] | None = None
    ) -> None:
        pipeline = {"version": "v1", "metadata": {"name": "memory"}, "nodes": nodes, "connections": connections}
        (self.folder / "pipeline.json").write_text(json.dumps({**pipeline, "session": session or {}}))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PENSTOCK), "run", str(self.folder / "pipeline.json"), *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            stdin=subprocess.DEVNULL,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("nodes.py", "sitecustomize.py"):
        shutil.copy(HERE / name, tmp_path / name)
    tmp_path.chmod(0o755)
    return Project(tmp_path)


def node(id: str, cls: str, *, container: bool = False, **more: Any) -> dict[str, Any]:
    return {"id": id, "node_type": f"nodes:{cls}", **({"docker": SMALL_CONTAINER} if container else {}), **more}
