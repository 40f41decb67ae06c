"""A sentence with a number in it does not say "1 messages"."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from repository import ROOT, tracked

NOUNS = "messages|times|lines|sessions|nodes|connections|restarts|records|processes|environments|containers|files"
A_NUMBER_OF = re.compile(r'"[^"\n]*\{[^{}"]*\} (?:[a-z]+ )?(?:' + NOUNS + r')\b[^"\n]*"')
SAID_OF_SEVERAL_ONLY = (
    "the ids of {} sessions begin with",
    "{} messages in quarantine have ids that begin with",
    "{} sessions begin with '{}'; give more of the id",
    "'{}' is the beginning of {} environments",
    "had to wait {} times, each",
    "has {} connections, at most",
)
NO_NUMBER = ("runs {} containers, but Linux ones are needed",)


def counted(text: str) -> list[str]:
    found = (match[0] for match in A_NUMBER_OF.finditer(text))
    return [each for each in found if not any(known in each for known in SAID_OF_SEVERAL_ONLY + NO_NUMBER)]


def sources() -> list[Path]:
    return [path for path in tracked("src/*.cpp", "src/*.h", "python/penstock/*.py") if "_test." not in path.name]


@pytest.mark.parametrize("text", ['fmt::format("{} lines dropped", n)', 'f"holds {self.n} old messages"'])
def test_a_plural_that_is_not_one_is_found(text: str) -> None:
    assert counted(text)


def test_numbers_are_written_with_count() -> None:
    found = [f"{path.relative_to(ROOT)}: {each}" for path in sources() for each in counted(path.read_text("utf-8"))]
    assert found == [], "base/count.h has the words"
