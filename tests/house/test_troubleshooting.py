"""The messages that docs/troubleshooting.md explains are messages of the code."""

from __future__ import annotations

import re

import pytest
from repository import ROOT, tracked

PAGE = ROOT / "docs" / "troubleshooting.md"
ROW = re.compile(r"^\| (`.+?) \|", re.MULTILINE)
QUOTED = re.compile(r"`([^`]+)`")
# Literals that the compiler joins, and Python's implicit concatenation with it.
JOINT = re.compile(r"\"\s*\n\s*f?\"")


def messages(page: str) -> list[str]:
    """The quoted messages in the first cells of the page's tables."""
    return [message for cell in ROW.findall(page) for message in QUOTED.findall(cell)]


def pieces(message: str) -> list[str]:
    """What stands between names and numbers, and on either side of a colon, where messages are put together."""
    parts = (part.strip(" '(),.%") for part in re.split(r"…|: ", message))
    return [part for part in parts if len(part) >= 5]


def sources() -> str:
    texts = (path.read_text(encoding="utf-8") for path in tracked("src/*.cpp", "src/*.h", "python/penstock/*.py"))
    return JOINT.sub("", "\n".join(texts))


def test_a_message_is_looked_for_between_its_names_and_numbers() -> None:
    assert messages("| message | means |\n|---|---|\n| `a '…' of … MB` or `b` | `c` |\n") == ["a '…' of … MB", "b"]
    assert pieces("node '…' failed in … s: still waiting") == ["failed in", "still waiting"]


def test_the_page_has_messages() -> None:
    assert len(messages(PAGE.read_text(encoding="utf-8"))) > 10


@pytest.mark.parametrize("message", messages(PAGE.read_text(encoding="utf-8")))
def test_documented_messages_are_in_the_code(message: str) -> None:
    # A library's own words are looked for as well: faulthandler's are named by who recognises them.
    text = sources()
    assert [piece for piece in pieces(message) if piece not in text] == []
