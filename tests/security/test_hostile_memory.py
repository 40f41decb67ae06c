"""A node that writes all over the memory it was given ends its session, which says so and leaves nothing behind."""

from __future__ import annotations

import re
from typing import Optional

import pytest
from conftest import Host, container_ids, node
from test_kills import Alive, leftovers

WORDS = re.compile(r"(node|edge) '?(count|hostile|last)")


@pytest.mark.parametrize("python", [None, "3.11"], ids=["process", "container"])
@pytest.mark.parametrize("what", ["blocks", "realms", "everything"])
def test_a_session_survives_its_node_long_enough_to_name_it(host: Host, what: str, python: Optional[str]) -> None:
    hostile = node("hostile", "Scribble", python, params={"what": what})
    host.chain(
        node("count", "Count", python),
        hostile,
        node("last", "Pass", python, params={}),
        {"id": "sink", "node_type": "text.sink"},
    )
    with host.start() as run:
        run.read_until("scribbles over")
        alive = Alive(host, run)
        assert run.wait() == 1, "".join(run.lines)
        alive.wait_gone()
    said = "".join(run.lines)
    errors = [line for line in run.lines if line.startswith("penstock: error: ")]
    assert errors and WORDS.search(errors[0]), said
    assert "internal error" not in said and "terminate called" not in said.partition("traceback")[0], said
    assert container_ids(host, "-a") == []
    assert leftovers(host) == []
