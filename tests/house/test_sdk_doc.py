"""docs/sdk.md is what the SDK's docstrings say, has all that users can name, and its examples run (in tests/docs)."""

from __future__ import annotations

import subprocess
import sys

import penstock
import pytest
import sdk_reference
from penstock import testing
from repository import ROOT

PAGE = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_docstrings_say() -> None:
    assert sdk_reference.page() == PAGE, "run tools/sdk_reference.py"


def test_the_page_has_everything_that_users_can_name() -> None:
    told = {name for names in sdk_reference.SECTIONS.values() for _, name in names}
    assert {*penstock.__all__, *testing.__all__} - told == set()


def test_a_definition_that_is_gone_is_named() -> None:
    with pytest.raises(LookupError, match=r"penstock\._node has no Nodes"):
        sdk_reference.definition("_node", "Nodes")


USERS_NODE = """
import asyncio
from collections.abc import AsyncIterator
from typing import Any
import penstock
from penstock import Audio, Image, Json, Tensor, Text, testing

class Both(penstock.Node):
    inputs = {"words": Text, "sound": Audio}

    async def setup(self, params: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    async def on_words(self, message: Text) -> AsyncIterator[Text]:
        yield Text(message.text)

    def on_sound(self, message: Audio) -> Image:
        picture = self.loan_image(2, 2, "gray8")
        picture.pixels[:] = 7
        return picture

    @penstock.every("1s")
    async def tick(self) -> Json:
        at = penstock.current()
        return Json(None if at is None else at.sequence)

    def teardown(self) -> None: ...

class Plain(penstock.Node):
    def setup(self, params: dict[str, Any]) -> None:
        self.n: int = params["n"]

    def process(self, message: Tensor) -> None: ...

[told] = testing.run(Both, [("words", Text("a")), testing.wait("1s")], clock=testing.Clock())
Plain.tick
"""


def mypy(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mypy", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_sdk_is_typed() -> None:
    assert "Success" in mypy("python/penstock").stdout


@pytest.mark.slow
def test_the_nodes_of_users_can_be_typed() -> None:
    errors = [line for line in mypy("-c", USERS_NODE).stdout.splitlines() if "error: " in line]
    assert len(errors) == 1 and 'has no attribute "tick"' in errors[0], "only what is wrong is found"
