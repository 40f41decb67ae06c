"""What a node that joins its inputs must have seen: of the streams that it was sent, what belongs together."""

from __future__ import annotations

import bisect
from typing import Any

from history import History
from ledger import Seen
from pipelines import Edge, Ident, Node, Pipeline
from violation import ViolationError

Set = tuple[Ident, Ident]


def time_of(pipeline: Pipeline, ident: Ident) -> int:
    """The media time that its source gave it: what a step makes of a message has that one's."""
    path, index = ident
    source, *steps = path.split("/")
    for step in reversed(steps):
        index //= int(pipeline.nodes[step.split(".")[0]].params["times"])
    return index * int(pipeline.nodes[source].params["period"])


def sets_of(pipeline: Pipeline, tolerance: int, leaders: list[Ident], others: list[Ident]) -> list[Set]:
    """Of each leader what is nearest to it, of two that are equally near the earlier one."""
    times, sets = [time_of(pipeline, ident) for ident in others], []
    for leader in leaders:
        time = time_of(pipeline, leader)
        after = bisect.bisect_left(times, time)
        around = range(max(after - 1, 0), min(after + 1, len(times)))
        nearest = min(around, key=lambda i, time=time: (abs(times[i] - time), i), default=None)  # type: ignore[misc]
        if nearest is not None and abs(times[nearest] - time) <= tolerance:
            sets.append((leader, others[nearest]))
    return sets


def check_join(
    pipeline: Pipeline,
    node: Node,
    seen: list[Seen],
    streams: dict[str, list[Ident] | None],
    accounts: dict[str, dict[str, Any]],
    history: History,
) -> None:
    """`streams`: by input, all that was sent there, or None where that is not known."""
    edges = {edge.port: edge for edge in pipeline.inputs_of(node.id)}
    made = [(each.ident, each.partner) for each in seen]
    leaders, others = streams["a"], streams["b"]
    if leaders is None or others is None or any(history.loses(edge) for edge in edges.values()):
        check_each(pipeline, node, made)
        return
    sets: list[Set] = sets_of(pipeline, node.params["tolerance"], leaders, others)
    for number, (got, wanted) in enumerate(zip(made, sets)):
        if got != wanted:
            raise ViolationError(f"set {number} of {node.id} is {got}, instead of {wanted}")
    if len(made) != len(sets):
        raise ViolationError(f"{node.id} made {len(made)} sets, instead of {len(sets)}")
    for each in seen:
        if each.sequence is None or leaders[each.sequence : each.sequence + 1] != [each.ident]:
            raise ViolationError(f"{node.id}: {each.ident} came with number {each.sequence}")
    for position, edge in enumerate(edges[port] for port in "ab"):
        check_joined(edge, len({each[position] for each in sets}), accounts[edge.id])


def check_joined(edge: Edge, joined: int, account: dict[str, Any]) -> None:
    if (account["joined"], account["unmatched"]) != (joined, account["sent"] - joined):
        raise ViolationError(f"{joined} messages of {edge.id} were in sets, and not what its account says: {account}")


def check_each(pipeline: Pipeline, node: Node, made: list[tuple[Ident, Ident | None]]) -> None:
    """What must be so though messages may be missing."""
    latest = (-1, -1)
    for leader, partner in made:
        if partner is None:
            raise ViolationError(f"{node.id} was given {leader} alone")
        times = time_of(pipeline, leader), time_of(pipeline, partner)
        if abs(times[0] - times[1]) > node.params["tolerance"]:
            raise ViolationError(f"{node.id} joined {leader} with {partner}, which are {times} apart")
        if times[0] < latest[0] or times[1] < latest[1]:
            raise ViolationError(f"{node.id} joined {leader} with {partner} after later ones")
        latest = times
