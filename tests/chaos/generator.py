"""Random pipelines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from features import PLAIN_STEP, add
from pipelines import LARGE_QUOTA_MB, LONG_TIMEOUT_S, SHORT_TIMEOUT_S, SMALL_QUOTA_MB, Edge, Node, Pipeline

MOST_PATHS = 40


@dataclass(frozen=True)
class Wishes:
    """What a round wants of its pipeline."""

    containers: bool = False
    pythons: tuple[str, ...] = ("3.11",)
    small_quota: bool = False
    small_disk: bool = False
    hangs: bool = False
    few_attempts: bool = False
    cheat: str | None = None  # what a node must be able to do
    features: tuple[str, ...] = ()


def generate(seed: int, folder: Path, wishes: Wishes) -> Pipeline:
    """The same for the same seed and wishes."""
    dice = random.Random(f"pipeline {seed}")
    while True:
        pipeline = attempt(seed, dice, folder, wishes)
        if pipeline is not None:
            return pipeline


def attempt(seed: int, dice: random.Random, folder: Path, wishes: Wishes) -> Pipeline | None:
    sources = [make_source(f"s{i}", dice, wishes) for i in range(dice.choice([1, 1, 2]))]
    steps = [make_step(f"m{i}", dice, wishes) for i in range(dice.randint(1, 7))]
    made = {node.id: node for node in sources + steps}
    edges: list[Edge] = []
    ways = {node.id: 1 for node in sources}
    for step in steps:
        before = [name for name in made if name in ways]
        taken = set()
        for port in "abc"[: dice.choice([1, 1, 1, 2, 2, 3])]:
            producer = dice.choice(before)
            output = dice.choice(made[producer].outputs)
            if (producer, output, port) not in taken:
                taken.add((producer, output, port))
                edges.append(make_edge(dice, producer, output, step.id, port, step.params["hold"]))
        ways[step.id] = sum(ways[edge.producer] for edge in edges if edge.consumer == step.id)
    if sum(ways.values()) > MOST_PATHS:
        return None
    for number, (producer, output) in enumerate(open_outputs(made, edges, dice)):
        sink = make_sink(number, made[producer], dice)
        made[sink.id] = sink
        edges.append(make_edge(dice, producer, output, sink.id, "in" if sink.is_native else dice.choice("abc"), 0))
    if len(made) > 12 or not all(rate_is_bounded(made, edges)) or not add(wishes.features, made, edges, dice):
        return None
    if wishes.containers and not any(node.container for node in made.values()):
        return None
    pipeline = Pipeline(
        seed,
        folder,
        made,
        edges,
        quota_mb=SMALL_QUOTA_MB if wishes.small_quota else LARGE_QUOTA_MB,
        process_timeout_s=SHORT_TIMEOUT_S if wishes.hangs else LONG_TIMEOUT_S,
    )
    if wishes.cheat:
        pipeline.cheater = next((name for name in made if can_cheat(pipeline, made[name], wishes.cheat)), None)
    return pipeline if pipeline.busy_steps and bool(pipeline.cheater) == bool(wishes.cheat) else None


def make_source(name: str, dice: random.Random, wishes: Wishes) -> Node:
    # A handler that takes long must not be taken for one that hangs, and messages in quarantine need room.
    small = wishes.small_quota or wishes.small_disk or wishes.hangs
    largest = dice.choice([20_000] if small else [50_000, 1_000_000, 16_000_000])
    params = {"seed": dice.random(), "largest": largest, "pace": dice.choice([0.0005, 0.002, 0.005]), "period": 1000}
    if dice.random() < 0.15 and name != "s0":
        return Node("media", "media")
    return Node(name, "numbers", params, container=wishes.containers and dice.random() < 0.3)


def make_step(name: str, dice: random.Random, wishes: Wishes) -> Node:
    kind = dice.choice(["mix", "mix", "fork"])
    params = {
        "every": dice.choice([1, 1, 1, 2]),
        "times": dice.choice([1, 1, 1, 2]),
        "as_text": dice.random() < 0.25,
        "alt": kind == "fork",
        "style": "emit" if kind == "fork" else dice.choice(["emit", "generator", "list"]),
        "hold": dice.choice([0, 0, 2]),
        "pace": dice.choice([0, 0, 0, 0.004]),
        "backoff": dice.choice(["0s", "0s", "50ms"]),
    }
    container = wishes.containers and dice.random() < 0.4
    python = dice.choice(wishes.pythons) if container else None
    return Node(name, kind, params, container, python, max_attempts=3 if wishes.few_attempts else 100, retried=True)


def make_edge(dice: random.Random, producer: str, output: str, consumer: str, port: str, hold: int) -> Edge:
    policy = dice.choice(["block"] * 5 + ["drop_oldest", "latest"])
    depth = 1 if policy == "latest" else dice.choice([1, 2, 8, 8, 32])
    held = max(hold, dice.choice([1, 4]))
    once = policy != "block" or dice.random() < 0.15
    most_bytes = dice.choice([0, 0, 0, 1000, 20_000]) if policy == "block" else 0
    return Edge(producer, output, consumer, port, policy, depth, held, once, most_bytes)


def open_outputs(made: dict[str, Node], edges: list[Edge], dice: random.Random) -> Iterator[tuple[str, str]]:
    """Those that no step reads, and now and then one that is read already."""
    read = {(edge.producer, edge.output) for edge in edges}
    connected = {edge.producer for edge in edges}
    for node in list(made.values()):
        for output in node.outputs:
            # A fork may have an output that nobody reads, but not two.
            must = output == "out" or node.id not in connected
            if dice.random() < (0.1 if (node.id, output) in read else 1 if must else 0.7):
                yield node.id, output


def make_sink(number: int, producer: Node, dice: random.Random) -> Node:
    kinds = ["check", "check", "json.sink"]
    if producer.kind != "media" and producer.params.get("as_text"):
        kinds.append("text.sink")
    kind = dice.choice(kinds)
    return Node(f"e{number}", kind, {**PLAIN_STEP, "pace": dice.choice([0, 0, 0.004])} if kind == "check" else {})


def rate_is_bounded(made: dict[str, Node], edges: list[Edge]) -> Iterator[bool]:
    """No node is sent more than eight messages for one of a source's."""
    rate = {name: 1.0 for name, node in made.items() if node.is_source}
    for name, node in made.items():
        if node.is_source:
            continue
        rate[name] = sum(rate[edge.producer] for edge in edges if edge.consumer == name)
        yield rate[name] <= 8
        if node.is_step:
            rate[name] *= node.params["times"] / node.params["every"]


def can_cheat(pipeline: Pipeline, node: Node, how: str) -> bool:
    if how in ("forget", "miscount"):  # its state; its own messages
        return node.state == "kept" and node.is_step == (how == "forget")
    # A step that sends two messages at a time, on edges that lose nothing, to nodes that check payloads.
    if node.kind != "mix" or node.id not in pipeline.targets:
        return False
    read = pipeline.edges_of(node.id, "out")
    steady = all(edge.repeats and not pipeline.nodes[edge.consumer].is_native for edge in read)
    double = node.params["every"] == 1 and node.params["times"] == 2
    return steady and double and node.params["style"] != "emit" and not node.params["as_text"]
