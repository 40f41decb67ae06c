"""Made-up histories of a small pipeline, s0 → m0 → e0: what its nodes would have written down, and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines import Edge, Node, Pipeline

STEP = {"every": 1, "times": 2, "as_text": False, "alt": False, "style": "generator", "hold": 0}


def make(folder: Path, policy: str, once: bool = False) -> Pipeline:
    nodes = {"s0": Node("s0", "numbers"), "m0": Node("m0", "mix", STEP), "e0": Node("e0", "check", STEP)}
    edges = [
        Edge("s0", "out", "m0", "a", "block", 8, 4),
        Edge("m0", "out", "e0", "a", policy, 8, 4, once),
    ]
    pipeline = Pipeline(0, folder, nodes, edges, 1024)
    pipeline.shared.mkdir()
    write(pipeline, "s0", ["S", "E 3"])
    write(pipeline, "m0", ["S", *(f"B a s0.out {i} 0 s0 {i}" for i in range(3))])
    write(pipeline, "e0", arrivals())
    return pipeline


def write(pipeline: Pipeline, name: str, lines: list[str]) -> None:
    (pipeline.shared / f"ledger.{name}").write_text("".join(f"{line}\n" for line in lines))


def arrivals(*numbers: int) -> list[str]:
    return ["S", *(f"B a m0.out {i} 0 s0/m0.a {i}" for i in numbers or range(6))]


def report(**last_edge: int) -> dict[str, Any]:
    edges = []
    for edge, sent in (("s0.out->m0.a", 3), ("m0.out->e0.a", 6)):
        account = {"sent": sent, "delivered": sent, "acknowledged": sent, "lost": 0}
        edges.append({"id": edge, **account, **(last_edge if edge.startswith("m0") else {})})
    return {"edges": edges, "nodes": [{"id": name, "restarts": 0, "quarantined": 0} for name in ("s0", "m0", "e0")]}
