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

from dataclasses import dataclass
from typing import Any

from accounts import check_account, check_count, check_delivered, check_restarts
from arrivals import Sent, SentNumbers, SourceNumbers, check_arrivals
from history import History
from ledger import Ledger, read
from pipelines import Edge, Node, Pipeline
from states import check_states
from violation import ViolationError


@dataclass
class Account:
    """Of a round."""

    arrived: int = 0  # at sinks
    began: int = 0  # handlers of all nodes


def check(pipeline: Pipeline, report: dict[str, Any] | None, history: History) -> Account:
    """Raises ViolationError where what was seen is not what was predicted. Without a report, or of an aborted session,
    only what does not depend on how far it came is checked."""
    ledgers = {name: read(pipeline, node) for name, node in pipeline.nodes.items()}
    accounts = {edge["id"]: edge for edge in report["edges"]} if report else {}
    if set(accounts) != {edge.id for edge in pipeline.edges} and report:
        raise ViolationError(f"the report has other edges: {sorted(accounts)}")
    for name, node in pipeline.nodes.items():
        if node.is_native:
            ledgers[name].workers = 1 + history.restarts[name]
        if node.state and node.is_step:
            check_states(ledgers[name], history)
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
