"""What every node must have seen, by docs/reliability.md.

Each node's ledger says in which order it handled what. From that follows what it sent, and that is held against the
ledgers of its consumers and the accounts in the report, edge by edge:

- On a `block` edge whose ends were never gone at a time, the consumer begins to handle exactly what was sent, each
  message once, in order, with the numbers of the producer's output; nothing is lost.
- On one whose ends were, it misses at most as many as the edge is deep each time, and the account says how many.
- With `delivery: at_most_once`, the message that a worker had in its hands when it ended may be missing, too.
- On `drop_oldest` and `latest` edges it sees a part in order, and the account says how many it does not see.
- A message in quarantine has sent what it had sent before it failed.
- A node that was left out sees a part from the beginning, and the account says how many are left; its consumers see all
  that it had sent.
- What was in a worker's hands when it ended, on an edge that delivers at most once, or whose producer was gone too, may
  or may not have been sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accounts import check_account, check_count, check_delivered, check_nodes
from arrivals import Sent, SentNumbers, SourceNumbers, check_arrivals, resolved
from history import History
from joins import check_join
from ledger import Ledger, read
from pipelines import Edge, Ident, Pipeline
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
    if report and not history.aborted:
        check_nodes(report, pipeline, history)
        for edge in pipeline.edges:
            check_account(edge, accounts[edge.id], pipeline, history)
    Model(pipeline, ledgers, {} if history.aborted else accounts, history).check()
    account = Account(began=sum(len(ledger.seen) for ledger in ledgers.values()))
    account.arrived = sum(
        len(ledgers[name].seen) for name, node in pipeline.nodes.items() if not node.outputs and not node.is_source
    )
    return account


@dataclass
class Model:
    pipeline: Pipeline
    ledgers: dict[str, Ledger]
    accounts: dict[str, dict[str, Any]]  # none of a session that was aborted
    history: History

    def check(self) -> None:
        for name, node in self.pipeline.nodes.items():
            if node.is_native:
                self.ledgers[name].workers = 1 + self.history.restarts[name]
            if node.state and node.is_step:
                check_states(self.ledgers[name], self.history)
            if node.kind == "join":
                streams = {edge.port: self.stream(edge) for edge in self.pipeline.inputs_of(name)}
                check_join(self.pipeline, node, self.ledgers[name].seen, streams, self.accounts, self.history)
        for edge in self.pipeline.edges:
            self.check_edge(edge)

    def check_edge(self, edge: Edge) -> None:
        producer, account = self.pipeline.nodes[edge.producer], self.accounts.get(edge.id)
        if account:
            check_count(edge, self.predicted(edge), account, self.ledgers, producer)
        if self.pipeline.nodes[edge.consumer].kind == "join":
            return
        got = self.ledgers[edge.consumer].of(edge)
        cut_short = account is None or edge.consumer in self.pipeline.left_out
        if producer.is_source:
            total = account["sent"] if account else None
            check_arrivals(edge, got, SourceNumbers(producer.id), total, self.history, cut_short)
        else:
            sent = self.sent(edge)
            check_arrivals(edge, got, SentNumbers(producer.id, sent), len(sent), self.history, cut_short)
        if account:
            check_delivered(edge, len(got), account, self.ledgers[edge.consumer], self.pipeline, self.history)

    def sent(self, edge: Edge) -> list[Sent]:
        """Of a node with inputs."""
        made = self.predicted(edge)
        return resolved(made, self.accounts[edge.id]["sent"]) if self.accounts else made

    def stream(self, edge: Edge) -> list[Ident] | None:
        """All messages of an edge, where it is known which they are."""
        if not self.accounts:
            return None
        if self.pipeline.nodes[edge.producer].is_source:
            return [(edge.producer, index) for index in range(self.accounts[edge.id]["sent"])]
        sent = self.sent(edge)
        return [each.ident for each in sent] if all(each.sure for each in sent) else None

    def predicted(self, edge: Edge) -> list[Sent]:
        """What a node with inputs sent at an output, by what it handled."""
        node, ledger = self.pipeline.nodes[edge.producer], self.ledgers[edge.producer]
        made: list[Sent] = []
        for seen in ledger.seen:
            idents = node.outputs_of(seen.edge.port, seen.ident, edge.output)
            if seen.sent is not None:
                before = (seen.sent + (edge.output == "out")) // 2 if node.kind == "fork" else seen.sent
                idents = idents[:before]
            # The last one of an aborted session may be under way, and so may that of a node that was left out.
            sure = not (seen.cut and self.history.skips(seen.edge))
            sure = sure and not (node.id in self.pipeline.left_out and seen is ledger.seen[-1])
            made.extend(Sent(ident, sure) for ident in idents)
        return made
