"""Pipelines of which it is known what each node makes of each message. generator.py makes random ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SMALL_QUOTA_MB, LARGE_QUOTA_MB = 96, 8192
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
    once: bool = False  # at_most_once, also where the policy is `block`
    most_bytes: int = 0  # in flight; 0: as many as the depth allows
    deadline_s: float | None = None  # for the consumer that holds up the producer

    @property
    def id(self) -> str:
        return f"{self.producer}.{self.output}->{self.consumer}.{self.port}"

    @property
    def blocks(self) -> bool:
        """It loses nothing: the producer waits where there is no room, or the session fails."""
        return self.policy in ("block", "fail")

    @property
    def repeats(self) -> bool:
        """What a worker has in its hands when it ends is delivered again."""
        return self.blocks and not self.once


@dataclass
class Node:
    """A node, as the model sees it."""

    id: str
    kind: str  # "numbers", "media", "mix", "fork", "join", "check", "text.sink", "json.sink"
    params: dict[str, Any] = field(default_factory=dict)
    container: bool = False
    python: str | None = None
    max_attempts: int = 100
    retried: bool = False
    skips: bool = False  # the session goes on without it, when a failure is not mended by a restart
    state: str = ""  # what a successor begins with: "kept"; of sources "replayed"; "": nothing, of sources no successor

    @property
    def is_source(self) -> bool:
        return self.kind in ("numbers", "media")

    @property
    def is_native(self) -> bool:
        return self.kind in ("media", "text.sink", "json.sink")

    @property
    def is_step(self) -> bool:
        return self.kind in ("mix", "fork", "join")

    @property
    def role(self) -> str:
        return "native" if self.is_native else "source" if self.is_source else "step"

    @property
    def outputs(self) -> list[str]:
        return ["out", "alt"] if self.kind == "fork" else ["out"] if self.is_source or self.is_step else []

    @property
    def node_type(self) -> str:
        if self.is_native:
            return "media.source" if self.kind == "media" else self.kind
        return f"{'sources' if self.is_source else 'nodes'}:{self.state.capitalize()}{self.kind.capitalize()}"

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
    cheater: str | None = None  # the node that is to do what must be noticed
    process_timeout_s: float = LONG_TIMEOUT_S
    start_timeout_s: float = 30
    left_out: set[str] = field(default_factory=set)  # nodes that the session goes on without by now

    @property
    def shared(self) -> Path:
        """Where nodes write down what they see, and find what they are to do."""
        return self.folder / "shared"

    @property
    def steps(self) -> list[str]:
        return [node.id for node in self.nodes.values() if node.is_step]

    @property
    def fed(self) -> set[str]:
        """The nodes that send or are sent something as long as the session runs: an audio file may end before."""
        fed = {node.id for node in self.nodes.values() if node.kind == "numbers"} | self.endless
        for name, node in self.nodes.items():  # each behind those that it reads
            needs = all if node.kind == "join" else any
            if node.role != "source" and name not in self.left_out:
                fed |= {name} if needs(edge.producer in fed for edge in self.inputs_of(name)) else set()
        return fed

    @property
    def endless(self) -> set[str]:
        """Sources that do not come to an end when they are told to finish."""
        return {node.id for node in self.nodes.values() if node.kind == "media" and node.retried}

    @property
    def targets(self) -> list[str]:
        """The nodes that can be struck, and are restarted or left out."""
        fed = self.fed
        return [name for name, node in self.nodes.items() if name in fed and (node.retried or node.skips)]

    @property
    def busy_steps(self) -> list[str]:
        """Those that the session does not go on without."""
        return [name for name in self.targets if self.nodes[name].is_step and not self.nodes[name].skips]

    @property
    def steady_steps(self) -> list[str]:
        """Those that are given again whatever they had in their hands."""
        return [name for name in self.busy_steps if all(edge.repeats for edge in self.inputs_of(name))]

    @property
    def open_sinks(self) -> list[Node]:
        fed = self.fed
        return [node for name, node in self.nodes.items() if name in fed and not node.outputs]

    @property
    def small_quota(self) -> bool:
        return self.quota_mb == SMALL_QUOTA_MB

    @property
    def containers(self) -> set[str]:
        return {node.id for node in self.nodes.values() if node.container}

    def inputs_of(self, name: str) -> list[Edge]:
        return [edge for edge in self.edges if edge.consumer == name]

    def edges_of(self, name: str, output: str) -> list[Edge]:
        return [edge for edge in self.edges if (edge.producer, edge.output) == (name, output)]

    def between(self, names: set[str]) -> list[Edge]:
        return [edge for edge in self.edges if edge.blocks and edge.producer in names and edge.consumer in names]

    @property
    def audio(self) -> Path:
        return self.folder / "audio.wav"

    def file_of(self, name: str) -> Path:
        """That a native node reads or writes."""
        return self.audio if self.nodes[name].is_source else self.shared / f"lines.{name}"
