"""A consumer's view is the producer's loaned buffer: the same byte of the same file, wherever they run."""

from __future__ import annotations

import json

import pytest
from conftest import SINK, Host, node

SIZES = [256, 4096, 400_000, 40_000_000]


@pytest.mark.parametrize(
    ("producer", "consumer"),
    [("3.11", "3.10"), (None, "3.10"), ("3.11", None), (None, None)],
    ids=["container to container", "process to container", "container to process", "process to process"],
)
def test_a_loaned_message_arrives_without_a_copy(host: Host, producer: str | None, consumer: str | None) -> None:
    host.chain(node("lend", "Lend", producer, params={"sizes": SIZES}), node("look", "Look", consumer), SINK)
    result = host.run("penstock", "run", str(host.manifest))
    assert result.returncode == 0, result.stderr
    places = [json.loads(line) for line in result.stdout.splitlines()]
    assert [place["size"] for place in places] == [size for size in SIZES for _ in ("bytes", "audio")]
    for place in places:
        assert place["seen"] == place["lent"]
        assert place["seen"]["inode"] != 0  # of a file: private memory has none
        assert (place["copied"]["device"], place["copied"]["inode"]) != (
            place["seen"]["device"],
            place["seen"]["inode"],
        )
