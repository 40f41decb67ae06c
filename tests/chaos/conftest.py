from __future__ import annotations

from pathlib import Path

import pytest
from histories import make
from pipelines import Pipeline


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """s0 → m0 → e0, in which everything is as predicted."""
    return make(tmp_path, "block")
