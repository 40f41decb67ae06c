"""Random pipelines, of which it is known what each node makes of each message."""

from __future__ import annotations

import json
import random
import shutil
import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MOST_PATHS = 40
FRAMES = 3_000  # of the audio file
LIMITS = {"memory_mb": 256, "cpu_cores": 1}
LONG_TIMEOUT_S, SHORT_TIMEOUT_S = 60.0, 4.0  # process_timeout: of a busy machine, and where handlers are to hang

Ident = tuple[str, int]  # the way a message came, and its number on that way


@dataclass(frozen=True)
class Edge:
    producer: str
    output: str
    consumer: str
    port: str
    policy: str
    depth: int
    max_held: int

    @property
    def id(self) -> str:
        return f"{self.producer}.{self.output}->{self.consumer}.{self.port}"

    @property
    def blocks(self) -> bool:
        return self.policy == "block"


@dataclass
class Node:
    """A node, as the model sees it."""

    id: str
    kind: str  # "numbers", "media", "mix", "fork", "check", "text.sink", "json.sink"
    params: dict[str, Any] = field(default_factory=dict)
    container: bool = False
    python: str | None = None
    max_attempts: int = 100

    @property
    def is_source(self) -> bool:
        return self.kind in ("numbers", "media")

    @property
    def is_native(self) -> bool:
        return self.kind in ("media", "text.sink", "json.sink")

    @property
    def is_step(self) -> bool:
        """It can be struck, and is restarted."""
        return self.kind in ("mix", "fork")

    @property
    def outputs(self) -> list[str]:
        return {"fork": ["out", "alt"], "mix": ["out"], "numbers": ["out"], "media": ["out"]}.get(self.kind, [])

    def outputs_of(self, port: str, ident: Ident, output: str) -> list[Ident]:
        """What it sends at `output` for the message `ident` at input `port`. See nodes.Step.outputs_for."""
        path, index = ident
        if index % self.params["every"]:
            return []
        mark = "~" if output == "alt" else ""
        times = self.params["times"]
        return [(f"{path}/{self.id}.{port}{mark}", index * times + number) for number in range(times)]


@dataclass
class Pipeline:
    """Sources, then steps of which each reads earlier ones, then sinks."""

    seed: int
    folder: Path
    nodes: dict[str, Node]
    edges: list[Edge]
    quota_mb: int
    process_timeout_s: float = LONG_TIMEOUT_S
    start_timeout_s: float = 30

    @property
    def shared(self) -> Path:
        """Where nodes write down what they see, and find what they are to do."""
        return self.folder / "shared"

    @property
    def steps(self) -> list[str]:
        return [node.id for node in self.nodes.values() if node.is_step]

    @property
    def targets(self) -> list[str]:
        """The steps that are sent something as long as the session runs: the audio file ends before."""
        fed = {node.id for node in self.nodes.values() if node.kind == "numbers"}
        for name in self.steps:  # each behind those that it reads
            if any(edge.producer in fed for edge in self.inputs_of(name)):
                fed.add(name)
        return [name for name in self.steps if name in fed]

    @property
    def containers(self) -> set[str]:
        return {node.id for node in self.nodes.values() if node.container}

    def inputs_of(self, name: str) -> list[Edge]:
        return [edge for edge in self.edges if edge.consumer == name]

    def edges_of(self, name: str, output: str) -> list[Edge]:
        return [edge for edge in self.edges if (edge.producer, edge.output) == (name, output)]

    def between(self, names: set[str]) -> list[Edge]:
        return [edge for edge in self.edges if edge.blocks and edge.producer in names and edge.consumer in names]

    def write(self) -> Path:
        self.folder.chmod(0o755)
        self.shared.mkdir(exist_ok=True)
        self.shared.chmod(0o777)
        shutil.copy(HERE / "nodes.py", self.folder / "nodes.py")
        (self.folder / "nodes.py").chmod(0o644)
        if any(node.kind == "media" for node in self.nodes.values()):
            write_audio(self.folder / "audio.wav")
        manifest = self.folder / "pipeline.json"
        manifest.write_text(json.dumps(self.manifest(), indent=1))
        return manifest

    def manifest(self) -> dict[str, Any]:
        return {
            "version": "v1",
            "metadata": {"name": f"chaos-{self.seed}"},
            "session": {"shm_quota_mb": self.quota_mb},
            "nodes": [self.manifest_of(node) for node in self.nodes.values()],
            "connections": [
                {
                    "from": edge.producer,
                    "from_output": edge.output,
                    "to": edge.consumer,
                    "to_input": edge.port,
                    "policy": edge.policy,
                    "depth": edge.depth,
                    "max_held": edge.max_held,
                }
                for edge in self.edges
            ],
        }

    def manifest_of(self, node: Node) -> dict[str, Any]:
        if node.kind == "media":
            audio = {"frame_ms": 10, "rate": 8000, "channels": 1}
            return {"id": node.id, "node_type": "media.source", "params": {"url": "audio.wav", "audio": audio}}
        if node.is_native:
            path = str(self.shared / f"lines.{node.id}")
            return {"id": node.id, "node_type": node.kind, "params": {"path": path}}
        folder = "/shared" if node.container else str(self.shared)
        params = {**node.params, "name": node.id, "folder": folder}
        made: dict[str, Any] = {"id": node.id, "node_type": f"nodes:{node.kind.capitalize()}", "params": params}
        made["start_timeout"] = f"{self.start_timeout_s}s"
        if node.is_step:
            made["retry"] = {"max_attempts": node.max_attempts, "backoff": node.params["backoff"], "window": "1h"}
            made["process_timeout"] = f"{self.process_timeout_s}s"
        if node.container:
            volume = {"host_path": str(self.shared), "container_path": "/shared"}
            section = {"resource_limits": LIMITS, "keep_warm": 0, "volumes": [volume]}
            made["docker"] = {"python_version": node.python or "3.11", **section}
        elif node.python:
            made["python"] = node.python
        return made


def write_audio(path: Path) -> None:
    """Each frame tells its number, as nodes.level_of says."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        for frame in range(FRAMES):
            file.writeframes(array("h", [(frame % 200 - 100) * 256] * 80).tobytes())


@dataclass(frozen=True)
class Wishes:
    """What a round wants of its pipeline."""

    containers: bool = False
    pythons: tuple[str, ...] = ("3.11",)
    small_quota: bool = False
    small_disk: bool = False
    hangs: bool = False
    few_attempts: bool = False
    sabotage: str | None = None


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
    if len(made) > 12 or not all(rate_is_bounded(made, edges)):
        return None
    if wishes.containers and not any(node.container for node in made.values()):
        return None
    if wishes.sabotage and not sabotaged(made, edges, wishes.sabotage):
        return None
    pipeline = Pipeline(
        seed,
        folder,
        made,
        edges,
        quota_mb=96 if wishes.small_quota else 8192,
        process_timeout_s=SHORT_TIMEOUT_S if wishes.hangs else LONG_TIMEOUT_S,
    )
    return pipeline if pipeline.targets else None


def make_source(name: str, dice: random.Random, wishes: Wishes) -> Node:
    # A handler that takes long must not be taken for one that hangs, and messages in quarantine need room.
    small = wishes.small_quota or wishes.small_disk or wishes.hangs
    largest = dice.choice([20_000] if small else [50_000, 1_000_000, 16_000_000])
    params = {"seed": dice.random(), "largest": largest, "pace": dice.choice([0.0005, 0.002, 0.005])}
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
    return Node(name, kind, params, container, python, max_attempts=3 if wishes.few_attempts else 100)


def make_edge(dice: random.Random, producer: str, output: str, consumer: str, port: str, hold: int) -> Edge:
    policy = dice.choice(["block"] * 5 + ["drop_oldest", "latest"])
    depth = 1 if policy == "latest" else dice.choice([1, 2, 8, 8, 32])
    return Edge(producer, output, consumer, port, policy, depth, max(hold, dice.choice([1, 4])))


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
    params = {"every": 1, "times": 1, "as_text": False, "alt": False, "style": "list", "hold": 0}
    return Node(f"e{number}", kind, {**params, "pace": dice.choice([0, 0, 0.004])} if kind == "check" else {})


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


def sabotaged(made: dict[str, Node], edges: list[Edge], how: str) -> bool:
    """Has one step do what must be noticed: of those that send two messages at a time, on edges that lose nothing."""
    for node in made.values():
        read = [edge for edge in edges if edge.producer == node.id]
        steady = all(edge.blocks for edge in read) and node.params.get("every") == 1 and node.params.get("times") == 2
        steady = steady and not any(made[edge.consumer].is_native for edge in read)  # those check no payload
        if node.kind == "mix" and steady and node.params["style"] != "emit" and not node.params["as_text"]:
            node.params["sabotage"] = how
            return True
    return False
