"""docs/troubleshooting.md quotes messages as the code has them."""

from __future__ import annotations

import re

import pytest
from repository import ROOT, tracked

TABLE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^\| `([^`]+)` \|", TABLE, re.MULTILINE)
# Literals that a compiler joins are one text here.
CODE = re.sub(
    r'"\s*\n\s*f?"',
    "",
    "\n".join(path.read_text(encoding="utf-8") for path in tracked("src/*", "python/*", "docker/*")),
)


def test_the_table_has_rows() -> None:
    assert MESSAGES


@pytest.mark.parametrize("message", MESSAGES)
def test_each_message_is_one_of_the_code(message: str) -> None:
    missing = [part for part in message.split("…") if part.strip() and part not in CODE]
    assert missing == []
