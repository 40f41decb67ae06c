"""What some pipelines have beyond what all have, each by its name; added to a pipeline that is made without."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from pipelines import Edge, Node

PLAIN = "plain"
PLAIN_STEP = {"every": 1, "times": 1, "as_text": False, "alt": False, "style": "list", "hold": 0}
DEADLINE_S = 8.0  # of a busy machine
SMALL = 20_000  # bytes
DEEP = 1024  # messages: what waits while a node is restarted is far less
MOST_BALLAST = 20_000  # bytes of a state

Nodes = dict[str, Node]
Feature = Callable[[Nodes, list[Edge], random.Random], bool]


def add(features: tuple[str, ...], nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    """Whether all of them are possible in this pipeline."""
    return all(feature(nodes, edges, dice) for name, feature in FEATURES.items() if name in features)


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


def leave_out(nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    """All but one of the steps may be left out; some of them only when their restart fails."""
    steps = [node for node in nodes.values() if node.is_step and node.kind != "join"]
    chosen = some(dice.sample(steps, len(steps) - 1), dice)
    for node in chosen:
        node.skips, node.retried = True, dice.random() < 0.5
    return bool(chosen)


def join_streams(nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    """Those of a node that sends in the order of times, and of a source that feeds nobody else: two that wait for each
    other would let a join stand still."""
    leaders = in_order(nodes, edges)
    if not leaders:
        return False
    leader, like = nodes[dice.choice(leaders)], dice.choice([node for node in nodes.values() if node.is_step])
    params = {**like.params, "every": 1, "alt": False, "hold": 0, "tolerance": dice.choice([0, 300, 1000, 10_000])}
    source = {"seed": dice.random(), "largest": 5000, "pace": 0.002, "period": dice.choice([500, 1000, 3000])}
    nodes["t0"] = Node("t0", "numbers", source)
    nodes["j0"] = replace(like, id="j0", kind="join", params=params)
    nodes["ej"] = Node("ej", "check", {**PLAIN_STEP})
    edges.append(Edge(leader.id, dice.choice(leader.outputs), "j0", "a", "block", dice.choice([2, 8, 32]), 4))
    edges.append(Edge("t0", "out", "j0", "b", "block", dice.choice([2, 8, 32]), 4))
    edges.append(Edge("j0", "out", "ej", "a", "block", 8, 4))
    return True


def in_order(nodes: Nodes, edges: list[Edge]) -> list[str]:
    found = [node.id for node in nodes.values() if node.kind == "numbers"]
    for node in nodes.values():
        before = [edge.producer for edge in edges if edge.consumer == node.id]
        if node.is_step and len(before) == 1 and before[0] in found:
            found.append(node.id)
    return found


def fan_in(nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    """More than one connection at one input."""
    producers = [node for node in nodes.values() if node.outputs]
    for sink in some([node for node in nodes.values() if node.kind in ("check", "json.sink")], dice):
        read = [edge for edge in edges if edge.consumer == sink.id]
        taken = {(edge.producer, edge.output) for edge in read}
        free = [(each.id, output) for each in producers for output in each.outputs if (each.id, output) not in taken]
        if free:
            edges.append(Edge(*dice.choice(free), sink.id, read[0].port, "block", dice.choice([2, 8]), 4))
    return len({(edge.consumer, edge.port) for edge in edges}) < len(edges)


def set_deadlines(nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    """A consumer that holds up its producers for so long has failed. Messages are small, so that none takes long."""
    waiting = {edge.consumer for edge in edges if edge.policy == "block"}
    chosen = some([node for node in nodes.values() if node.is_step and node.id in waiting], dice)
    names = {node.id for node in chosen}
    for place, edge in enumerate(edges):
        if edge.consumer in names and edge.policy == "block":
            edges[place] = replace(edge, deadline_s=DEADLINE_S)
    for node in nodes.values():
        if node.kind == "numbers":
            node.params["largest"] = min(node.params["largest"], SMALL)
    return bool(chosen)


def let_fail(nodes: Nodes, edges: list[Edge], dice: random.Random) -> bool:
    """An edge that is never full, unless its source is told to hurry: f0 → f1 → ef."""
    nodes["f0"] = Node("f0", "numbers", {"seed": dice.random(), "largest": 100, "pace": 0.05, "period": 1000})
    like = dice.choice([node for node in nodes.values() if node.is_step])
    nodes["f1"] = replace(like, id="f1", kind="mix", params={**PLAIN_STEP, "pace": 0})
    nodes["ef"] = Node("ef", "check", {**PLAIN_STEP, "pace": 0})
    edges.append(Edge("f0", "out", "f1", "a", "fail", DEEP, 4))
    edges.append(Edge("f1", "out", "ef", "a", "block", 8, 4))
    return True


FEATURES: dict[str, Feature] = {
    "joins": join_streams,
    "fan-in": fan_in,
    "deadlines": set_deadlines,
    "fail": let_fail,
    "sources": restart_sources,
    "natives": restart_natives,
    "states": keep_states,
    "left out": leave_out,
}
