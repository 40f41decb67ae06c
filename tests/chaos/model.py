"""What every node must have seen, by docs/reliability.md.

Each node's ledger says in which order it handled what. From that follows what it sent, and that is held against the
ledgers of its consumers and the accounts in the report, edge by edge:

- On a `block` edge whose ends were never gone at a time, the consumer begins to handle exactly what was sent, each
  message once, in order, with the numbers of the producer's output; nothing is lost.
- On one whose ends were, it misses at most as many as the edge is deep each time, and the account says how many.
- With `delivery: at_most_once`, the message that a worker had in its hands when it ended may be missing, too.
- On `drop_oldest` and `latest` edges it sees a part in order, and the account says how many it does not see.
- A message in quarantine has sent what it had sent before it failed.
- What was in a worker's hands when it ended, on an edge that delivers at most once, or whose producer was gone too, may
  or may not have been sent.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import Any

from ledger import Ledger, Seen, ViolationError, read
from pipelines import Edge, Ident, Node, Pipeline


@dataclass
class History:
    """What was done to a pipeline, as far as it matters for what may be lost."""

    gone_together: collections.Counter[str] = field(default_factory=collections.Counter)  # by edge id: how often
    restarts: collections.Counter[str] = field(default_factory=collections.Counter)  # by node: how many must have been
    spare: collections.Counter[str] = field(default_factory=collections.Counter)  # and perhaps so many more
    struck: set[str] = field(default_factory=set)
    poisoned: collections.Counter[str] = field(default_factory=collections.Counter)
    aborted: bool = False  # the session ended before its streams had

    def loses(self, edge: Edge) -> bool:
        """Messages may never reach the consumer."""
        return not edge.blocks or self.gone_together[edge.id] > 0

    def skips(self, edge: Edge) -> bool:
        """Messages may have reached it, and have ended with its worker."""
        return self.loses(edge) or not edge.repeats


@dataclass
class Account:
    """Of a round."""

    arrived: int = 0  # at sinks
    began: int = 0  # handlers of all nodes


@dataclass(frozen=True)
class Sent:
    """One message of what an output was sent; `sure` unless its handler may have been cut before it was."""

    ident: Ident
    sure: bool = True


def check(pipeline: Pipeline, report: dict[str, Any] | None, history: History) -> Account:
    """Raises ViolationError where what was seen is not what was predicted. Without a report, or of an aborted session,
    only what does not depend on how far it came is checked."""
    ledgers = {name: read(pipeline, node) for name, node in pipeline.nodes.items()}
    accounts = {edge["id"]: edge for edge in report["edges"]} if report else {}
    if set(accounts) != {edge.id for edge in pipeline.edges} and report:
        raise ViolationError(f"the report has other edges: {sorted(accounts)}")
    if report and not history.aborted:
        check_restarts(report, history)
        for edge in pipeline.edges:
            check_account(edge, accounts[edge.id], history)
    for name, node in pipeline.nodes.items():
        for output in node.outputs:
            edges = pipeline.edges_of(name, output)
            if edges:
                check_output(pipeline, node, output, edges, ledgers, {} if history.aborted else accounts, history)
    account = Account(began=sum(len(ledger.seen) for ledger in ledgers.values()))
    account.arrived = sum(
        len(ledgers[name].seen) for name, node in pipeline.nodes.items() if not node.outputs and not node.is_source
    )
    return account


def check_restarts(report: dict[str, Any], history: History) -> None:
    for node in report["nodes"]:
        least = history.restarts[node["id"]]
        if not least <= node["restarts"] <= least + history.spare[node["id"]]:
            raise ViolationError(f"{node['id']} was restarted {node['restarts']} times, instead of {least}")
        if node["quarantined"] != history.poisoned[node["id"]]:
            raise ViolationError(f"{node['id']} has {node['quarantined']} messages in quarantine")


def check_account(edge: Edge, account: dict[str, Any], history: History) -> None:
    if account["sent"] != account["delivered"] + account["lost"] or account.get("in_flight", 0) != 0:
        raise ViolationError(f"the account of {edge.id} does not add up: {account}")
    if account["acknowledged"] != account["sent"]:
        raise ViolationError(f"not all of {edge.id} is acknowledged: {account}")
    if not history.loses(edge) and account["lost"]:
        raise ViolationError(f"{edge.id} lost {account['lost']} messages, and nothing explains it: {account}")
    most = edge.depth * history.gone_together[edge.id]
    if edge.blocks and account["lost"] > most:
        raise ViolationError(f"{edge.id} lost {account['lost']} messages, of at most {most}: {account}")


def check_output(
    pipeline: Pipeline,
    node: Node,
    output: str,
    edges: list[Edge],
    ledgers: dict[str, Ledger],
    accounts: dict[str, dict[str, Any]],
    history: History,
) -> None:
    sent = predicted(node, output, ledgers[node.id], history)
    for edge in edges:
        got = ledgers[edge.consumer].of(edge)
        account = accounts.get(edge.id)
        if node.is_source:
            check_arrivals(edge, got, SourceNumbers(node.id), account["sent"] if account else None, history)
        else:
            places = {each.ident: place for place, each in enumerate(sent)}
            if len(places) != len(sent):
                raise ViolationError(f"the model is wrong: {node.id} sends a message twice")
            check_arrivals(edge, got, SentNumbers(sent, places), len(sent), history, cut_short=account is None)
        if account:
            check_count(edge, sent, account, ledgers, node, history)
            check_delivered(edge, len(got), account, ledgers[edge.consumer], history)


def predicted(node: Node, output: str, ledger: Ledger, history: History) -> list[Sent]:
    """What a node with inputs sent at an output, by what it handled."""
    made: list[Sent] = []
    for seen in ledger.seen:
        idents = node.outputs_of(seen.edge.port, seen.ident, output)
        if seen.sent is not None:
            before = seen.sent if node.kind == "mix" else (seen.sent + (output == "out")) // 2
            idents = idents[:before]
        # The last one of an aborted session may be under way.
        sure = not (seen.cut and history.skips(seen.edge))
        made.extend(Sent(ident, sure) for ident in idents)
    return made


class SourceNumbers:
    """Where a source's messages stand in its stream: at their own number."""

    def __init__(self, name: str) -> None:
        self.name = name

    def place(self, ident: Ident) -> int | None:
        return ident[1] if ident[0] == self.name else None

    def unsure(self, place: int) -> bool:
        return False

    exact = True


class SentNumbers:
    def __init__(self, sent: list[Sent], places: dict[Ident, int]) -> None:
        self.sent, self.places = sent, places
        self.exact = all(each.sure for each in sent)

    def place(self, ident: Ident) -> int | None:
        return self.places.get(ident)

    def unsure(self, place: int) -> bool:
        return not self.sent[place].sure


def check_arrivals(
    edge: Edge,
    got: list[Seen],
    stream: SourceNumbers | SentNumbers,
    total: int | None,
    history: History,
    cut_short: bool = False,
) -> None:
    """The consumer saw messages of the stream, in its order, each once; and all of them where nothing may be lost."""
    next_place, last_sequence = 0, -1
    for seen in got:
        place = stream.place(seen.ident)
        if place is None:
            raise ViolationError(f"{edge.consumer} saw {seen.ident} on {edge.id}, which was never sent there")
        if place < next_place:
            raise ViolationError(f"{edge.consumer} saw {seen.ident} on {edge.id} again, or out of order")
        if seen.sequence is not None:
            if seen.sequence <= last_sequence:
                raise ViolationError(f"{edge.id}: number {seen.sequence} came after {last_sequence}")
            last_sequence = seen.sequence
            if stream.exact and seen.sequence != place:
                raise ViolationError(f"{edge.id}: {seen.ident} came with number {seen.sequence} instead of {place}")
        require_nothing_between(edge, stream, next_place, place, history)
        next_place = place + 1
    if total is not None and not cut_short:
        require_nothing_between(edge, stream, next_place, total, history)


def require_nothing_between(
    edge: Edge, stream: SourceNumbers | SentNumbers, first: int, end: int, history: History
) -> None:
    if history.skips(edge):  # how many they are, check_delivered sees
        return
    missed = [place for place in range(first, end) if not stream.unsure(place)]
    if missed:
        raise ViolationError(f"{edge.consumer} never saw {len(missed)} messages of {edge.id}, from number {missed[0]}")


def check_count(
    edge: Edge,
    sent: list[Sent],
    account: dict[str, Any],
    ledgers: dict[str, Ledger],
    node: Node,
    history: History,
) -> None:
    """The account's `sent` against what the producer says itself."""
    if node.is_source:
        ended = ledgers[node.id].ended
        if node.kind == "numbers" and ended != account["sent"]:
            raise ViolationError(f"{edge.id}: {account['sent']} were sent, but {node.id} made {ended}")
        return
    least = sum(each.sure for each in sent)
    if not least <= account["sent"] <= len(sent):
        raise ViolationError(f"{edge.id}: {account['sent']} were sent, instead of {least} to {len(sent)}")


def check_delivered(edge: Edge, got: int, account: dict[str, Any], ledger: Ledger, history: History) -> None:
    """The account's `delivered` against what the consumer counted itself."""
    delivered = account["delivered"]
    unwritten = ledger.workers - 1 if history.skips(edge) else 0  # taken, and killed before that was written down
    given_up = ledger.workers - 1 if history.gone_together[edge.id] else 0  # begun, killed, and lost with its producer
    if not got - given_up <= delivered <= got + unwritten:
        raise ViolationError(f"{edge.id}: {delivered} were delivered, but {edge.consumer} counted {got}")
