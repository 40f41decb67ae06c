"""Tests run against the sources beside them, with any Python from 3.9 on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture(autouse=True)
def _separate_registry() -> Iterator[None]:
    from penstock import _node

    saved = dict(_node.registry)
    yield
    _node.registry.clear()
    _node.registry.update(saved)
