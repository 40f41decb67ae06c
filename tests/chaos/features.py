"""What some pipelines have beyond what all have, each by its name; added to a pipeline that is made without."""

from __future__ import annotations

import random
from collections.abc import Callable

from pipelines import Edge, Node

PLAIN = "plain"
MOST_BALLAST = 20_000  # bytes of a state

Nodes = dict[str, Node]
Feature = Callable[[Nodes, list[Edge], random.Random], bool]


def add(features: tuple[str, ...], nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    """Whether all of them are possible in this pipeline."""
    return all(FEATURES[name](nodes, edges, dice) for name in features)


def some(nodes: list[Node], dice: random.Random) -> list[Node]:
    """At least one of them, if there is any."""
    return dice.sample(nodes, dice.randint(1, len(nodes))) if nodes else []


def restart_sources(nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    chosen = some([node for node in nodes.values() if node.kind == "numbers"], dice)
    for node in chosen:
        node.retried, node.state = True, dice.choice(["kept", "replayed"])
    return bool(chosen)


def restart_natives(nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    chosen = some([node for node in nodes.values() if node.is_native], dice)
    for node in chosen:
        node.retried = True
    return bool(chosen)


def keep_states(nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    chosen = some([node for node in nodes.values() if node.is_step], dice)
    for node in chosen:
        node.state, node.params["ballast"] = "kept", dice.choice([0, 100, MOST_BALLAST])
    return bool(chosen)


FEATURES: dict[str, Feature] = {
    "sources": restart_sources,
    "natives": restart_natives,
    "states": keep_states,
}
