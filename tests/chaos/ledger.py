"""What the nodes wrote down of what they saw.

Lines of nodes.py and sources.py: `S` a worker begins; `B port output sequence redelivered path number` a message begins
to be handled, with `state=…` where a node keeps one and `with=…` where it joins its inputs; `F …` an order was taken;
`P port output sequence n` it fails on purpose, having sent n messages for it; `Q …` how a request for too much memory
ended; `M number` a source is about to send a message, `E n` it ended after n; `X …` something was changed on its way.
Native sinks write what they are sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from made import Made
from pipelines import Edge, Ident, Node, Pipeline
from violation import ViolationError


@dataclass
class Seen:
    """A message that a node began to handle."""

    edge: Edge
    sequence: int | None  # text.sink does not tell
    ident: Ident
    begun: int = 1
    redelivered: bool = False
    cut: bool = False  # the worker ended before it began anything else
    sent: int | None = None  # for a message in quarantine: how many messages, at each output, before it failed
    state: str = ""  # what the node had kept of those before
    partner: Ident | None = None  # what it was joined with


@dataclass
class Ledger:
    node: str
    seen: list[Seen] = field(default_factory=list)
    workers: int = 0
    made: Made = field(default_factory=Made)
    orders: list[str] = field(default_factory=list)
    quota: list[str] = field(default_factory=list)

    def of(self, edge: Edge) -> list[Seen]:
        return [seen for seen in self.seen if seen.edge is edge]


def read(pipeline: Pipeline, node: Node) -> Ledger:
    if node.kind == "media":
        return Ledger(node.id)
    if node.is_native:
        return read_lines(pipeline, node)
    path = pipeline.shared / f"ledger.{node.id}"
    return parse(pipeline, node.id, path.read_text().splitlines() if path.exists() else [])


def parse(pipeline: Pipeline, name: str, lines: list[str]) -> Ledger:
    """Raises where a message comes again without its worker having been replaced, or without being marked."""
    ledger = Ledger(name)
    edges = {(edge.port, f"{edge.producer}.{edge.output}"): edge for edge in pipeline.inputs_of(name)}
    known: dict[tuple[str, int], Seen] = {}
    last: Seen | None = None
    replaced = False
    for line in lines:
        mark, _, rest = line.partition(" ")
        if mark == "X":
            raise ViolationError(f"{name}: {rest}")
        if mark == "S":
            ledger.workers += 1
            ledger.made.begin()
            replaced = last is not None
            if last is not None:
                last.cut = True
        elif mark == "F":
            ledger.orders.append(rest)
        elif mark == "Q":
            ledger.quota.append(rest)
        elif mark == "M":
            ledger.made.add(pipeline.nodes[name], int(rest))
        elif mark == "E":
            ledger.made.ended = int(rest)
        elif mark == "P":
            assert last is not None
            last.sent = int(rest.split(" ")[3])
        elif mark == "B":
            port, left, sequence, redelivered, path, index, *more = rest.split(" ")
            told = dict(word.split("=", 1) for word in more)
            edge = edges.get((port, left))
            if edge is None:
                raise ViolationError(f"{name} was sent a message of {left} at its input {port}, which it does not read")
            seen = known.get((edge.id, int(sequence)))
            if seen is None:
                seen = Seen(edge, int(sequence), (path, int(index)), redelivered=redelivered == "1")
                seen.state, seen.partner = told.get("state", ""), partner_of(told)
                if seen.redelivered and ledger.workers < 2:
                    raise ViolationError(f"{name} was told that message {sequence} of {edge.id} came before")
                known[edge.id, int(sequence)] = seen
                ledger.seen.append(seen)
            else:
                check_repetition(name, seen, last, replaced, redelivered == "1", (path, int(index)))
                if told.get("state", "") != seen.state:
                    raise ViolationError(f"{name} had {seen.state} before {seen.ident}, and {told} when it came again")
                if partner_of(told) != seen.partner:
                    raise ViolationError(f"{name} joined {seen.ident} with {seen.partner}, and then with {told}")
                seen.begun += 1
                seen.cut = False
            last, replaced = seen, False
    return ledger


def partner_of(told: dict[str, str]) -> Ident | None:
    if "with" not in told:
        return None
    _, path, index = told["with"].split("|")
    return path, int(index)


def check_repetition(name: str, seen: Seen, last: Seen | None, replaced: bool, redelivered: bool, ident: Ident) -> None:
    which = f"{name}: message {seen.sequence} of {seen.edge.id}"
    if ident != seen.ident:
        raise ViolationError(f"{which} is {ident} now, and was {seen.ident} when it came first")
    if not seen.edge.repeats:
        raise ViolationError(f"{which} came twice, on an edge that delivers at most once")
    if seen is not last or not replaced:
        raise ViolationError(f"{which} came again, although its worker was not replaced while it handled it")
    if not redelivered:
        raise ViolationError(f"{which} came again, and was not marked as delivered before")


def read_lines(pipeline: Pipeline, node: Node) -> Ledger:
    """Of a native sink. A last line without its end was cut with its session."""
    ledger = Ledger(node.id)
    path = pipeline.file_of(node.id)
    text = path.read_text() if path.exists() else ""
    edges = {f"{edge.producer}.{edge.output}": edge for edge in pipeline.inputs_of(node.id)}
    for who, sequence in whose(text[: text.rfind("\n") + 1].splitlines(), node.kind):
        left, way, index = who.split(" ")
        if left not in edges:
            raise ViolationError(f"{node.id} was sent a message of {left}, which it does not read")
        ledger.seen.append(Seen(edges[left], sequence, (way, int(index))))
    return ledger


def whose(lines: list[str], kind: str) -> Iterator[tuple[str, int | None]]:
    for line in lines:
        if kind == "text.sink":
            yield line, None
            continue
        told = json.loads(line)
        if told["kind"] == "Audio":
            yield f"media.out media {told['sequence']}", told["sequence"]
        else:
            yield told["metadata"]["who"], told["sequence"]
