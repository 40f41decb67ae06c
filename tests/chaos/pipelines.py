"""Random pipelines whose sinks can be predicted, and the code of their nodes."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_PATHS = 40

NODES = '''
"""Every message says which way it came and what it must contain."""
import os, random, signal, sys, zlib
from collections.abc import Iterator
import penstock
from penstock import Bytes


def pack(path: str, index: int, body: bytes) -> bytes:
    head = f"{path} {index} {zlib.crc32(body)}\\n".encode()
    return head + body


def unpack(data: bytes) -> tuple[str, int, bytes]:
    head, _, body = bytes(data).partition(b"\\n")
    path, index, crc = head.decode().split(" ")
    if zlib.crc32(body) != int(crc):
        raise AssertionError(f"message {index} of {path} was changed on its way")
    return path, int(index), body


def fail(*_: object) -> None:
    raise RuntimeError("chaos")


class Numbers(penstock.Node):
    """Until it is stopped; mostly small messages, a large one now and then."""

    def setup(self, params: dict) -> None:
        self.name, self.dice, self.largest = params["name"], random.Random(params["seed"]), params["largest"]

    def process(self) -> Iterator[Bytes]:
        index = 0
        while not self.stop_requested:
            size = self.dice.choice([0, 1, 100, 5000]) if self.dice.random() < 0.99 else self.largest
            yield Bytes(pack(self.name, index, bytes([index % 251]) * size))
            index += 1


class Mix(penstock.Node):
    """Passes on what comes at any input, with its own name in the path."""

    def setup(self, params: dict) -> None:
        self.name = params["name"]
        signal.signal(signal.SIGUSR1, fail)
        print("pid", os.getpid(), flush=True)

    def mix(self, data: Bytes) -> Bytes:
        path, index, body = unpack(data.data)
        return Bytes(pack(f"{path}/{self.name}", index, body))

    def on_a(self, data: Bytes) -> Bytes:
        return self.mix(data)

    def on_b(self, data: Bytes) -> Bytes:
        return self.mix(data)

    def on_c(self, data: Bytes) -> Bytes:
        return self.mix(data)


class Check(penstock.Node):
    """Writes down what arrived; is never killed itself."""

    def setup(self, params: dict) -> None:
        self.file = open(params["file"], "w", buffering=1)

    def process(self, data: Bytes) -> None:
        path, index, _ = unpack(data.data)
        self.file.write(f"{path} {index}\\n")
'''


@dataclass
class Pipeline:
    """Sources, then nodes that mix, of which each reads earlier ones, then a sink for each that no other reads."""

    seed: int
    folder: Path
    manifest: dict[str, Any]
    mixers: list[str]
    containers: set[str]
    sinks: dict[str, list[str]]  # by sink, the paths that end there
    edges: list[tuple[str, str]] = field(default_factory=list)

    def write(self) -> Path:
        (self.folder / "nodes.py").write_text(NODES)
        self.folder.chmod(0o755)
        manifest = self.folder / "pipeline.json"
        manifest.write_text(json.dumps(self.manifest, indent=1))
        return manifest


def generate(seed: int, folder: Path, containers: bool) -> Pipeline:
    """The same for the same seed."""
    dice = random.Random(seed)
    while True:
        made = attempt(seed, dice, folder, containers)
        if made is not None:
            return made


def attempt(seed: int, dice: random.Random, folder: Path, containers: bool) -> Pipeline | None:
    sources = [f"s{i}" for i in range(dice.randint(1, 2))]
    mixers = [f"m{i}" for i in range(dice.randint(1, 7))]
    paths: dict[str, list[str]] = {name: [name] for name in sources}
    inputs: dict[str, list[str]] = {}
    for i, mixer in enumerate(mixers):
        before = sources + mixers[:i]
        inputs[mixer] = [dice.choice(before) for _ in range(dice.choice([1, 1, 1, 2, 2, 3]))]
        paths[mixer] = [f"{path}/{mixer}" for producer in inputs[mixer] for path in paths[producer]]
    if sum(len(each) for each in paths.values()) > MOST_PATHS:
        return None
    read = {producer for producers in inputs.values() for producer in producers}
    ends = [name for name in sources + mixers if name not in read]
    nodes: list[dict[str, Any]] = []
    connections: list[dict[str, Any]] = []
    for name in sources:
        params = {"name": name, "seed": dice.random(), "largest": dice.choice([50_000, 1_000_000, 16_000_000])}
        nodes.append({"id": name, "node_type": "nodes:Numbers", "params": params})
    placed = {mixer for mixer in mixers if containers and dice.random() < 0.4}
    for mixer in mixers:
        node: dict[str, Any] = {
            "id": mixer,
            "node_type": "nodes:Mix",
            "params": {"name": mixer},
            "retry": {"max_attempts": 100, "backoff": dice.choice(["0s", "0s", "50ms"]), "window": "1h"},
            "process_timeout": "5s",
        }
        if mixer in placed:
            limits = {"memory_mb": 256, "cpu_cores": 1}
            node["docker"] = {"python_version": "3.11", "resource_limits": limits, "keep_warm": 0}
        nodes.append(node)
        for port, producer in zip("abc", inputs[mixer]):
            depth = dice.choice([1, 2, 8, 8, 32])
            connections.append({"from": producer, "to": mixer, "to_input": port, "depth": depth})
    sinks = {}
    for end in ends:
        sink = f"check_{end}"
        sinks[sink] = paths[end]
        nodes.append({"id": sink, "node_type": "nodes:Check", "params": {"file": str(folder / sink)}})
        connections.append({"from": end, "to": sink})
    manifest = {
        "version": "v1",
        "metadata": {"name": f"chaos-{seed}"},
        "session": {"shm_quota_mb": 8192},
        "nodes": nodes,
        "connections": connections,
    }
    return Pipeline(seed, folder, manifest, mixers, placed, sinks)
