"""Pipelines of which it is known what each node makes of each message. generator.py makes random ones."""

from __future__ import annotations

import json
import shutil
import wave
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CODE = ("noted.py", "nodes.py", "sources.py")
FRAMES = 3_000  # of the audio file
LIVE_FRAMES = 60_000  # of one that is played in real time, for longer than any round
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
    once: bool = False  # at_most_once, also where the policy is `block`
    most_bytes: int = 0  # in flight; 0: as many as the depth allows

    @property
    def id(self) -> str:
        return f"{self.producer}.{self.output}->{self.consumer}.{self.port}"

    @property
    def blocks(self) -> bool:
        return self.policy == "block"

    @property
    def repeats(self) -> bool:
        """What a worker has in its hands when it ends is delivered again."""
        return self.blocks and not self.once


@dataclass
class Node:
    """A node, as the model sees it."""

    id: str
    kind: str  # "numbers", "media", "mix", "fork", "check", "text.sink", "json.sink"
    params: dict[str, Any] = field(default_factory=dict)
    container: bool = False
    python: str | None = None
    max_attempts: int = 100
    retried: bool = False
    state: str = ""  # what a successor begins with: "kept"; of sources "replayed"; "": nothing, of sources no successor

    @property
    def is_source(self) -> bool:
        return self.kind in ("numbers", "media")

    @property
    def is_native(self) -> bool:
        return self.kind in ("media", "text.sink", "json.sink")

    @property
    def is_step(self) -> bool:
        return self.kind in ("mix", "fork")

    @property
    def role(self) -> str:
        return "native" if self.is_native else "source" if self.is_source else "step"

    @property
    def outputs(self) -> list[str]:
        return {"fork": ["out", "alt"], "mix": ["out"], "numbers": ["out"], "media": ["out"]}.get(self.kind, [])

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
        for name in self.nodes:  # each behind those that it reads
            if any(edge.producer in fed for edge in self.inputs_of(name)):
                fed.add(name)
        return fed

    @property
    def endless(self) -> set[str]:
        """Sources that do not come to an end when they are told to finish."""
        return {node.id for node in self.nodes.values() if node.kind == "media" and node.retried}

    @property
    def targets(self) -> list[str]:
        """The nodes that can be struck, and are restarted."""
        return [name for name in self.nodes if name in self.fed and self.nodes[name].retried]

    @property
    def busy_steps(self) -> list[str]:
        return [name for name in self.targets if self.nodes[name].is_step]

    @property
    def steady_steps(self) -> list[str]:
        """Those that are given again whatever they had in their hands."""
        return [name for name in self.busy_steps if all(edge.repeats for edge in self.inputs_of(name))]

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
        for name in CODE:
            shutil.copy(HERE / name, self.folder / name)
            (self.folder / name).chmod(0o644)
        for node in self.nodes.values():
            if node.kind == "media":
                write_audio(self.audio, LIVE_FRAMES if node.retried else FRAMES)
        manifest = self.folder / "pipeline.json"
        manifest.write_text(json.dumps(self.manifest(), indent=1))
        return manifest

    def manifest(self) -> dict[str, Any]:
        return {
            "version": "v1",
            "metadata": {"name": f"chaos-{self.seed}"},
            "session": {"shm_quota_mb": self.quota_mb},
            "nodes": [self.manifest_of(node) for node in self.nodes.values()],
            "connections": [connection_of(edge) for edge in self.edges],
        }

    def manifest_of(self, node: Node) -> dict[str, Any]:
        made: dict[str, Any] = {"id": node.id, "node_type": node.node_type, "params": self.params_of(node)}
        if node.retried:
            backoff = node.params.get("backoff", "0s")
            made["retry"] = {"max_attempts": node.max_attempts, "backoff": backoff, "window": "1h"}
        if node.is_step:
            made["process_timeout"] = f"{self.process_timeout_s}s"
        if node.is_native:
            return made
        made["start_timeout"] = f"{self.start_timeout_s}s"
        if node.container:
            volume = {"host_path": str(self.shared), "container_path": "/shared"}
            section = {"resource_limits": LIMITS, "keep_warm": 0, "volumes": [volume]}
            made["docker"] = {"python_version": node.python or "3.11", **section}
        elif node.python:
            made["python"] = node.python
        return made

    def params_of(self, node: Node) -> dict[str, Any]:
        if node.kind == "media":
            audio = {"frame_ms": 10, "rate": 8000, "channels": 1}
            return {"url": self.audio.name, "audio": audio, "realtime": node.retried}
        if node.is_native:
            return {"path": str(self.file_of(node.id))}
        return {**node.params, "name": node.id, "folder": "/shared" if node.container else str(self.shared)}

    @property
    def audio(self) -> Path:
        return self.folder / "audio.wav"

    def file_of(self, name: str) -> Path:
        """That a native node reads or writes."""
        return self.audio if self.nodes[name].is_source else self.shared / f"lines.{name}"


def connection_of(edge: Edge) -> dict[str, Any]:
    made: dict[str, Any] = {
        "from": edge.producer,
        "from_output": edge.output,
        "to": edge.consumer,
        "to_input": edge.port,
        "policy": edge.policy,
        "depth": edge.depth,
        "max_held": edge.max_held,
    }
    if edge.blocks and edge.once:
        made["delivery"] = "at_most_once"
    if edge.most_bytes:
        made["max_in_flight_bytes"] = edge.most_bytes
    return made


def write_audio(path: Path, frames: int) -> None:
    """Each frame tells its number, as nodes.level_of says."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        for frame in range(frames):
            file.writeframes(array("h", [(frame % 200 - 100) * 256] * 80).tobytes())
